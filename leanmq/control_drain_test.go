package leanmq_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// What a read brings in the moment of the pause, or later, is not handled; what the
// pause hands back is neither lost nor doubled.
func TestNothingIsHandledAfterADrain(t *testing.T) {
	for name, opts := range fetching {
		t.Run(name, func(t *testing.T) {
			redistest.ForEachStore(t, func(t *testing.T, url string) {
				q := open(t, url).Queue("q")
				var got record
				for range 3 {
					consume(t, open(t, url).Queue("q"), func(_ context.Context, m *leanmq.Message) error {
						time.Sleep(rand.N(2 * time.Millisecond))
						got.add(m)
						return nil
					}, opts...)
				}
				stop := make(chan struct{})
				var sent atomic.Int64
				var wg sync.WaitGroup
				wg.Go(func() {
					for {
						select {
						case <-stop:
							return
						case <-time.After(rand.N(20 * time.Millisecond)):
							const n = 5
							if _, err := q.SendMany(t.Context(), make([][]byte, n)); err != nil {
								t.Error(err)
								return
							}
							sent.Add(int64(n))
						}
					}
				})
				for round := range 2 {
					got.wait(t, got.count()+20)
					if err := q.Drain(t.Context()); err != nil {
						t.Fatal(err)
					}
					n := got.count()
					time.Sleep(50 * time.Millisecond) // there is nothing to wait for
					if i := info(t, q); i.InFlight != 0 || got.count() != n {
						t.Errorf("round %d: %d handled while paused, %+v", round, got.count()-n, i)
					}
					resume(t, q)
				}
				close(stop)
				wg.Wait()
				becomesEmpty(t, q)
				ids := map[string]bool{}
				for _, s := range got.wait(t, int(sent.Load())) {
					if ids[s.ID] || s.Deliveries != 1 {
						t.Errorf("%s: delivery %d, handled before: %v", s.ID, s.Deliveries, ids[s.ID])
					}
					ids[s.ID] = true
				}
				if len(ids) != int(sent.Load()) {
					t.Errorf("%d sent, %d handled", sent.Load(), len(ids))
				}
			})
		})
	}
}

func TestDrainWaitsForHandlersAndNotBeyondItsContext(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		g := newGate()
		consume(t, open(t, url).Queue("q"), g.handle)
		send(t, q, "x")
		receive(t, "a handler that begins", g.began)
		short, cancel := context.WithCancelCause(t.Context())
		result := make(chan error, 1)
		go func() { result <- q.Drain(short) }()
		eventually(t, "it is paused", func() bool { return info(t, q).Paused })
		time.Sleep(50 * time.Millisecond) // and whoever drains waits
		cancel(errors.New("enough"))
		err := receive(t, "the end of the wait", result)
		var where *leanmq.Error
		if !errors.As(err, &where) || where.Err.Error() != "enough" || !info(t, q).Paused {
			t.Errorf("%v, paused: %v", err, info(t, q).Paused)
		}
		drained := make(chan error, 1)
		go func() { drained <- q.Drain(context.Background()) }()
		select {
		case err := <-drained:
			t.Errorf("drained while a handler runs: %v", err)
		case <-time.After(1500 * time.Millisecond): // longer than a drain takes at least
		}
		close(g.letOff)
		if err := receive(t, "the end of the drain", drained); err != nil || g.count() != 1 {
			t.Errorf("%v, %d handled", err, g.count())
		}
	})
}

// Nobody takes it over while the queue is paused, but it is not handled either.
func TestDrainPassesByWhatDeadWorkersHad(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		dead := newPuller(t, q)
		send(t, q, "normal")
		send(t, q, "urgent", leanmq.Priority(leanmq.Urgent))
		for n := 0; n < 2; {
			ms, err := dead.Receive(t.Context(), 2) // and nothing is renewed
			if err != nil {
				t.Fatal(err)
			}
			n += len(ms)
		}
		pause(t, q)
		var got record
		consume(t, open(t, url).Queue("q"), got.done, leanmq.Lease(300*time.Millisecond))
		if err := q.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if i := info(t, q); i.Ready != 2 || i.InFlight != 0 || got.count() != 0 {
			t.Errorf("%+v, %d handled", i, got.count())
		}
		resume(t, q)
		for _, s := range got.wait(t, 2) {
			if s.Deliveries != 2 {
				t.Errorf("%s: delivery %d: the dead worker's one counts", s.Payload, s.Deliveries)
			}
		}
		becomesEmpty(t, q)
	})
}
