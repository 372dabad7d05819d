package testkit

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// stopLimit bounds the wait for the end of what was told to end.
const stopLimit = 2 * Patience

// Running is what runs until its context ends: a Consume, a Relay, a Run.
type Running struct {
	// Cancel tells it to end, and does not wait for that.
	Cancel context.CancelFunc
	// Result gets what it returns. Who reads it must not call Stop or Wait before.
	Result chan error

	t    testing.TB
	what string
	once sync.Once
	err  error
}

// Start runs f until the test ends, if Stop does not end it before. What f returns
// then is of no interest; see Serve.
func Start(t testing.TB, what string, f func(context.Context) error) *Running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &Running{Cancel: cancel, Result: make(chan error, 1), t: t, what: what}
	go func() { r.Result <- f(ctx) }()
	t.Cleanup(func() { _ = r.Stop() })
	return r
}

// Stop cancels it and returns its result, which is the same each time.
func (r *Running) Stop() error {
	r.t.Helper()
	r.Cancel()
	return r.Wait()
}

// Wait waits for its result. What does not return fails the test.
func (r *Running) Wait() error {
	r.t.Helper()
	r.once.Do(func() {
		select {
		case r.err = <-r.Result:
		case <-time.After(stopLimit):
			r.err = errors.New(r.what + " does not return")
			r.t.Error(r.err)
		}
	})
	return r.err
}

// Service is what serves until its context ends, and says when it does.
type Service interface {
	Run(ctx context.Context) error
	Ready() <-chan struct{}
}

// Serve starts a service and returns when it is ready. Stop ends it, at the latest
// with the test, and checks that it drained.
func Serve(t testing.TB, s Service) (stop func()) {
	t.Helper()
	r := Start(t, "Run", s.Run)
	var once sync.Once
	stop = func() {
		t.Helper()
		once.Do(func() {
			if err := r.Stop(); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	select {
	case <-s.Ready():
	case err := <-r.Result:
		r.Result <- err
		t.Fatalf("Run: %v", err)
	case <-time.After(Patience):
		t.Fatal("the service does not get ready")
	}
	return stop
}
