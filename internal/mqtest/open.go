package mqtest

import (
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

// Open connects a process of its own, which is gone when the test ends.
func Open(t testing.TB, url string, opts ...leanmq.Option) *leanmq.Client {
	t.Helper()
	mq, err := leanmq.Open(t.Context(), url, opts...)
	return testkit.Opened(t, mq, err)
}

// OpenBy is Open with connections of another maker, such as a proxy's.
func OpenBy(t testing.TB, url string, dial redistest.Dialer) *leanmq.Client {
	t.Helper()
	mq, err := leanmq.New(t.Context(), redistest.ClientBy(t, url, dial))
	return testkit.Opened(t, mq, err)
}
