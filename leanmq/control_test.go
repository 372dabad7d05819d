package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func pause(t testing.TB, q *leanmq.Queue) {
	t.Helper()
	if err := q.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func resume(t testing.TB, q *leanmq.Queue) {
	t.Helper()
	if err := q.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// fetching is the ways in which consumers get their messages.
var fetching = map[string][]leanmq.ConsumeOption{
	"together": nil,
	"limited":  {leanmq.LimitTo(leanmq.Limits{Running: 1000})},
}

// gate is a handler whose runs wait until they are let go.
type gate struct {
	record
	began  chan string
	letOff chan struct{}
}

func newGate() *gate { return &gate{began: make(chan string, 1000), letOff: make(chan struct{})} }

func (g *gate) handle(_ context.Context, m *leanmq.Message) error {
	g.began <- string(m.Payload)
	<-g.letOff
	g.add(m)
	return nil
}

func TestPauseLetsRunningHandlersFinishAndHandsBackTheRest(t *testing.T) {
	for name, opts := range fetching {
		t.Run(name, func(t *testing.T) {
			redistest.ForEachStore(t, func(t *testing.T, url string) {
				q := open(t, url).Queue("q")
				g := newGate()
				workers := []*leanmq.Client{open(t, url), open(t, url)}
				for _, w := range workers {
					// Each holds 2 that run and more that wait for a worker.
					consume(t, w.Queue("q"), g.handle, append(opts, leanmq.Concurrency(2))...)
				}
				levels := []leanmq.Level{leanmq.Low, leanmq.Normal, leanmq.High}
				for i := range 30 {
					send(t, q, fmt.Sprint(i), leanmq.Priority(levels[i%3]))
				}
				for range 4 {
					receive(t, "a handler that begins", g.began)
				}
				pause(t, q)
				eventually(t, "the pause is seen", func() bool { return workers[0].SeesPause() && workers[1].SeesPause() })
				eventually(t, "only what runs is in flight", func() bool { return info(t, q).InFlight == 4 })
				if i := info(t, q); !i.Paused || i.Ready != 26 {
					t.Errorf("%+v, want it paused with 26 ready", i)
				}
				close(g.letOff)
				eventually(t, "nothing is in flight", func() bool { return info(t, q).InFlight == 0 })
				if i := info(t, q); i.Ready != 26 || g.count() != 4 {
					t.Errorf("%+v, %d handled: want 26 ready, 4 handled", i, g.count())
				}
				resume(t, q)
				for _, s := range g.wait(t, 30) {
					if s.Deliveries != 1 || s.Attempt != 1 {
						t.Errorf("%s: delivery %d, attempt %d", s.Payload, s.Deliveries, s.Attempt)
					}
				}
				becomesEmpty(t, q)
			})
		})
	}
}

func TestPauseIsSeenWithoutItsNotice(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		g, worker := newGate(), open(t, url)
		consume(t, worker.Queue("q"), g.handle, leanmq.Concurrency(1))
		send(t, q, "1")
		receive(t, "a handler that begins", g.began)
		silently := func(cmd ...any) { // as SetPaused does, but for the notice
			t.Helper()
			raw := rawClient(t, url)
			if err := raw.Do(t.Context(), cmd...).Err(); err != nil {
				t.Fatal(err)
			}
			if err := raw.HIncrBy(t.Context(), "leanmq:{q}:q:meta", "@version", 1).Err(); err != nil {
				t.Fatal(err)
			}
		}
		silently("HSET", "leanmq:{q}:q:meta", "paused", 1)
		// It holds one message for its worker, and then sees the pause.
		send(t, q, "2")
		eventually(t, "the pause is seen", worker.SeesPause)
		close(g.letOff)
		eventually(t, "nothing is in flight", func() bool { return info(t, q).InFlight == 0 })
		if g.count() != 1 || info(t, q).Ready != 1 {
			t.Errorf("%d handled, %+v", g.count(), info(t, q))
		}
		silently("HDEL", "leanmq:{q}:q:meta", "paused")
		g.wait(t, 2)
	})
}

func TestPauseHoldsForConsumersThatComeLater(t *testing.T) {
	for name, opts := range fetching {
		t.Run(name, func(t *testing.T) {
			redistest.ForEachStore(t, func(t *testing.T, url string) {
				q := open(t, url).Queue("q")
				pause(t, q)
				pause(t, q) // twice is fine
				send(t, q, "x")
				var got record
				first := consume(t, open(t, url).Queue("q"), got.done, opts...)
				consume(t, open(t, url).Queue("q"), got.done, opts...)
				eventually(t, "consumers", func() bool { return info(t, q).Consumers == 2 })
				time.Sleep(50 * time.Millisecond) // there is nothing to wait for
				if got.count() != 0 {
					t.Error("handled while paused")
				}
				if err := first.Stop(); err != nil { // stops as at any other time
					t.Error(err)
				}
				resume(t, q)
				resume(t, q)
				got.wait(t, 1)
				becomesEmpty(t, q)
			})
		})
	}
}

func TestConsumerStopsWhileItsQueueIsPaused(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		g := newGate()
		worker := open(t, url)
		c := consume(t, worker.Queue("q"), g.handle, leanmq.Concurrency(1))
		for i := range 3 {
			send(t, q, fmt.Sprint(i))
		}
		receive(t, "a handler that begins", g.began)
		pause(t, q)
		eventually(t, "the pause is seen", worker.SeesPause)
		c.Cancel()
		close(g.letOff)
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
		if i := info(t, q); i.Ready != 2 || i.InFlight != 0 || i.Consumers != 0 {
			t.Errorf("%+v, want 2 ready", i)
		}
		resume(t, q)
		consume(t, open(t, url).Queue("q"), g.handle)
		for _, s := range g.wait(t, 3) {
			if s.Deliveries != 1 {
				t.Errorf("%s: delivery %d", s.Payload, s.Deliveries)
			}
		}
	})
}

func TestFlushEndsAPause(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		var got record
		consume(t, open(t, url).Queue("q"), got.done)
		send(t, q, "1")
		got.wait(t, 1)
		if err := q.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := rawClient(t, url).FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		send(t, q, "2")
		got.wait(t, 2)
	})
}

func TestPullerWaitsWhileItsQueueIsPaused(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		p := newPuller(t, open(t, url).Queue("q"))
		pause(t, q)
		send(t, q, "x")
		short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if ms, err := p.Receive(short, 1); len(ms) != 0 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, %v", ms, err)
		}
		resume(t, q)
		ms, err := p.Receive(t.Context(), 1)
		if err != nil || len(ms) != 1 || ms[0].Deliveries != 1 {
			t.Fatal(ms, err)
		}
		if err := ms[0].Done(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Settings change at any moment of a consumer's life: in its beginning, and while it
// drains. Whoever fetches for it must be gone with it (TestMain looks for leaks), and
// its messages go on to the next one.
func TestConsumersComeAndGoWhileSettingsChange(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		mq := open(t, url)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				var err error
				switch n % 4 {
				case 0:
					err = q.SetLimits(ctx, leanmq.Limits{Running: 3})
				case 1:
					err = q.Pause(ctx)
				case 2:
					err = q.SetLimits(ctx, leanmq.Limits{})
				case 3:
					err = q.Resume(ctx)
				}
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				time.Sleep(rand.N(3 * time.Millisecond))
			}
		})
		var got record
		sent := 0
		for range 40 {
			c := consume(t, mq.Queue("q"), got.done)
			send(t, q, "x", leanmq.Priority(leanmq.Level(sent%2)))
			sent++
			time.Sleep(rand.N(10 * time.Millisecond))
			begin := time.Now()
			if err := c.Stop(); err != nil {
				t.Error(err)
			}
			if took := time.Since(begin); took > 2*time.Second {
				t.Errorf("it took %v to stop", took)
			}
		}
		cancel()
		wg.Wait()
		resume(t, q)
		consume(t, mq.Queue("q"), got.done)
		got.wait(t, sent)
		becomesEmpty(t, q)
		if got.count() != sent {
			t.Errorf("%d sent, %d handled", sent, got.count())
		}
	})
}
