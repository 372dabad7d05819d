package mqtest

import (
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// Open connects a process of its own, which is gone when the test ends.
func Open(t testing.TB, url string, opts ...leanmq.Option) *leanmq.Client {
	t.Helper()
	mq, err := leanmq.Open(t.Context(), url, opts...)
	return closed(t, mq, err)
}

// OpenBy is Open with connections of another maker, such as a proxy's.
func OpenBy(t testing.TB, url string, dial redistest.Dialer) *leanmq.Client {
	t.Helper()
	mq, err := leanmq.New(t.Context(), redistest.ClientBy(t, url, dial))
	return closed(t, mq, err)
}

// closed closes the client with the test.
func closed(t testing.TB, mq *leanmq.Client, err error) *leanmq.Client {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := mq.Close(); err != nil {
			t.Error(err)
		}
	})
	return mq
}
