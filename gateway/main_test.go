package gateway_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/leanmq/leanmq/gateway"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// patience is how long a test waits for what has to happen: only a failing one
// waits for all of it.
const patience = 30 * time.Second

// open connects a process of its own.
func open(t *testing.T, url string) *leanmq.Client {
	t.Helper()
	mq, err := leanmq.Open(t.Context(), url)
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

// run starts a service, returns when it is ready, and stops it with the test.
func run(t *testing.T, s *webhook.Service) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := receive(t, ended); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	select {
	case <-s.Ready():
	case err := <-ended:
		ended <- err
		t.Fatalf("Run: %v", err)
	case <-time.After(patience):
		t.Fatal("the service does not get ready")
	}
}

func receive[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("no %T arrived", v)
	}
	return v
}

// until waits for a condition.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for begin := time.Now(); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Since(begin) > patience {
			t.Fatalf("never: %s", what)
		}
	}
}

// status is the status of the problem in err's chain, or 0.
func status(err error) int {
	var p *webhook.Problem
	if errors.As(err, &p) {
		return p.Status
	}
	return 0
}
