package gateway_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/leanmq/leanmq/gateway"
	"github.com/leanmq/leanmq/internal/mqtest"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

func TestMain(m *testing.M) { redistest.Main(m) }

var (
	open  = mqtest.Open
	run   = testkit.Serve
	until = testkit.Eventually
)

// newGateway makes a gateway that is closed before its client.
func newGateway(t *testing.T, mq *leanmq.Client, opts ...gateway.Option) *gateway.Gateway {
	t.Helper()
	gw := gateway.New(mq, opts...)
	t.Cleanup(func() {
		if err := gw.Close(); err != nil {
			t.Error(err)
		}
	})
	return gw
}

func receive[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	return testkit.Receive(t, fmt.Sprintf("a %T", v), c)
}

// status is the status of the problem in err's chain, or 0.
func status(err error) int {
	var p *webhook.Problem
	if errors.As(err, &p) {
		return p.Status
	}
	return 0
}
