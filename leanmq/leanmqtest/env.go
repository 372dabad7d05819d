package leanmqtest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/embedded"
)

// Env is a store for one test, with a client of it. Drain, Advance and the methods
// that check something end the test when they fail, so they belong to the test's
// own goroutine; handlers that Drain runs are on it.
type Env struct {
	*leanmq.Client // closed when the test ends

	t      testing.TB
	server *embedded.Server
	most   int // messages that one Drain handles

	mu      sync.Mutex
	clients []*leanmq.Client
}

// New starts an empty store whose clock stands at the present moment, and opens a
// client with opts. Both are closed when the test ends. To see what the client
// logs, give it leanmq.Logger(zerolog.New(zerolog.NewTestWriter(t))).
func New(t testing.TB, opts ...leanmq.Option) *Env {
	t.Helper()
	server, err := embedded.StartAt(time.Now())
	if err != nil {
		t.Fatalf("leanmqtest: %v", err)
	}
	t.Cleanup(func() { _ = server.Close() })
	e := &Env{t: t, server: server, most: mostDrained}
	e.Client = e.Open(opts...)
	return e
}

// Open opens a further client of the same store, as another process would. It is
// closed when the test ends.
func (e *Env) Open(opts ...leanmq.Option) *leanmq.Client {
	e.t.Helper()
	e.mu.Lock() // a client that opens while the clock moves is told as well
	defer e.mu.Unlock()
	c, err := leanmq.Open(context.Background(), e.server.URL(), opts...)
	if err != nil {
		e.t.Fatalf("leanmqtest: %v", err)
	}
	e.t.Cleanup(func() {
		if err := c.Close(); err != nil {
			e.t.Errorf("leanmqtest: %v", err)
		}
	})
	e.clients = append(e.clients, c)
	return c
}

// URL is where code that opens its clients itself finds the store. Such clients
// learn of an Advance late, up to 10 s; prefer Open.
func (e *Env) URL() string { return e.server.URL() }

// Now is the store's clock.
func (e *Env) Now() time.Time { return e.server.Now() }

// Advance moves the store's clock: delays become due, messages and ids that are
// remembered for deduplication expire, leases run out. Nothing is handled by that;
// Drain does it, or what is consumed in the background.
func (e *Env) Advance(d time.Duration) {
	e.t.Helper()
	if d < 0 {
		e.t.Fatalf("leanmqtest: Advance by %v: a clock does not go back", d)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.clients {
		c.ClockMoves(d)
	}
	e.server.Advance(d)
	for _, c := range e.clients {
		if err := c.ClockMoved(context.Background()); err != nil && !errors.Is(err, leanmq.ErrClosed) {
			e.t.Fatalf("leanmqtest: Advance: %v", err)
		}
	}
}

// Run runs something in the background until the test ends, such as the Run of a
// webhook.Service, or a Consume with real workers. Then its context ends and Run's
// cleanup waits for it; an error fails the test.
func (e *Env) Run(run func(ctx context.Context) error) {
	e.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	e.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			e.t.Errorf("leanmqtest: Run: %v", err)
		}
	})
}
