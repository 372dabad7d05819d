package leanmq_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/mqtest"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

func TestSlowHandlerKeepsItsMessage(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const lease = time.Second
		q := open(t, url).Queue("jobs")
		var got record
		slow := func(ctx context.Context, m *leanmq.Message) error {
			got.add(m)
			select {
			case <-time.After(3 * lease):
				return nil
			case <-ctx.Done():
				t.Errorf("the handler's context ended: %v", context.Cause(ctx))
				return ctx.Err()
			}
		}
		consume(t, q, slow, leanmq.Lease(lease))
		consume(t, open(t, url).Queue("jobs"), slow, leanmq.Lease(lease))
		for range 8 {
			send(t, q, "x")
		}
		becomesEmpty(t, q)
		for _, m := range got.list() {
			if m.Deliveries != 1 || m.Attempt != 1 {
				t.Errorf("%+v", m)
			}
		}
		if n := got.count(); n != 8 {
			t.Errorf("8 messages were handled %d times", n)
		}
	})
}

func TestMessagesOfAWorkerThatVanishedReachAnother(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		id := send(t, q, "x")
		puller := newPuller(t, open(t, url).Queue("jobs")) // renews nothing
		pulled, err := puller.Receive(t.Context(), 1)
		if err != nil || len(pulled) != 1 {
			t.Fatal(pulled, err)
		}
		const lease = 300 * time.Millisecond
		var got record
		begin := time.Now()
		consume(t, q, got.done, leanmq.Lease(lease))
		m := got.wait(t, 1)[0]
		if m.ID != id || m.Deliveries != 2 || m.Attempt != 1 {
			t.Errorf("%+v, want the second delivery and the first attempt", m)
		}
		if took := m.At.Sub(begin); took < lease-100*time.Millisecond || took > 10*time.Second {
			t.Errorf("it was taken over after %v, the lease is %v", took, lease)
		}
		becomesEmpty(t, q)
		for op, settle := range map[string]func() error{
			"done":   func() error { return pulled[0].Done(t.Context()) },
			"retry":  func() error { return pulled[0].Retry(t.Context(), errors.New("x")) },
			"reject": func() error { return pulled[0].Reject(t.Context(), errors.New("x")) },
			"extend": func() error { return pulled[0].Extend(t.Context()) },
		} {
			if err := settle(); !errors.Is(err, leanmq.ErrLeaseLost) {
				t.Errorf("%s after the loss: %v", op, err)
			}
		}
		becomesEmpty(t, q)
	})
}

func TestWorkerThatWasCutOffLosesItsMessageAndItsSay(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const lease = 500 * time.Millisecond
		p := testkit.NewProxy(t)
		cutOff := mqtest.OpenBy(t, url, p.Dial).Queue("jobs")
		q := open(t, url).Queue("jobs")
		running, cause := make(chan struct{}, 1), make(chan error, 1)
		var runs atomic.Int64
		consume(t, cutOff, func(ctx context.Context, _ *leanmq.Message) error {
			if runs.Add(1) > 1 {
				return nil
			}
			running <- struct{}{}
			<-ctx.Done()
			cause <- context.Cause(ctx)
			return leanmq.Reject(errors.New("the verdict of one who has no say"))
		}, leanmq.Lease(lease))
		send(t, q, "x")
		receive(t, "the first handler runs", running)
		p.Freeze(true)

		var got record
		finish := make(chan struct{})
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			got.add(m)
			<-finish
			return nil
		}, leanmq.Lease(lease))
		if m := got.wait(t, 1)[0]; m.Deliveries != 2 || m.Attempt != 1 {
			t.Errorf("%+v", m)
		}
		p.Freeze(false)
		if err := receive(t, "the first handler learns of the loss", cause); !errors.Is(err, leanmq.ErrLeaseLost) {
			t.Errorf("%v", err)
		}
		send(t, cutOff, "a later one shows that the first one works again")
		eventually(t, "the second message is handled", func() bool { return runs.Load() > 1 || got.count() > 1 })
		if i := info(t, q); i.Dead != 0 || i.InFlight == 0 {
			t.Errorf("the stale verdict counted: %+v", i)
		}
		close(finish)
		becomesEmpty(t, q)
	})
}

// A stale handler that never looks at its context must not do harm either.
func TestStaleVerdictIsRefused(t *testing.T) {
	for name, verdict := range map[string]error{
		"done": nil, "retry": errors.New("x"), "reject": leanmq.Reject(errors.New("x")),
	} {
		t.Run(name, func(t *testing.T) {
			redistest.ForEachStore(t, func(t *testing.T, url string) {
				q := open(t, url).Queue("jobs")
				running, finish := make(chan struct{}, 10), make(chan struct{})
				c := consume(t, q, func(_ context.Context, m *leanmq.Message) error {
					running <- struct{}{}
					<-finish
					return verdict
				}, leanmq.Lease(time.Hour), quick)
				send(t, q, "x")
				receive(t, "the handler runs", running)

				thief := newPuller(t, open(t, url).Queue("jobs"), leanmq.Lease(100*time.Millisecond))
				pulled, err := thief.Receive(t.Context(), 1)
				for err == nil && len(pulled) == 0 {
					pulled, err = thief.Receive(t.Context(), 1)
				}
				if err != nil || pulled[0].Deliveries != 2 {
					t.Fatal(pulled, err)
				}
				close(finish)
				if err := c.Stop(); err != nil { // has settled, or tried to
					t.Error(err)
				}
				if i := info(t, q); i.InFlight != 1 || i.Dead+i.Scheduled+i.Ready != 0 {
					t.Errorf("the stale verdict counted: %+v", i)
				}
				if err := pulled[0].Done(t.Context()); err != nil {
					t.Errorf("the owner's verdict was refused: %v", err)
				}
				becomesEmpty(t, q)
			})
		})
	}
}

func TestMessageThatKillsItsWorkersIsDeadLettered(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const lease, most = 100 * time.Millisecond, 3
		q := open(t, url).Queue("jobs")
		id := send(t, q, "poison", leanmq.WithHeader("kk", "v"))
		for n := 1; n <= most; n++ {
			victim := newPuller(t, q, leanmq.Lease(lease), leanmq.MaxDeliveries(most))
			pulled, err := victim.Receive(t.Context(), 1)
			if err != nil || len(pulled) != 1 || pulled[0].Deliveries != n || pulled[0].Attempt != 1 {
				t.Fatalf("delivery %d: %+v, %v", n, pulled, err)
			}
		}
		var got record
		consume(t, q, got.done, leanmq.Lease(lease), leanmq.MaxDeliveries(most))
		d := oneDead(t, q)
		if d.Reason != leanmq.ReasonCrashed || d.Message.ID != id || d.Message.Attempt != 0 || d.Message.Header.Get("kk") != "v" ||
			string(d.Message.Payload) != "poison" || !strings.Contains(d.Error, "3 times") || d.LastFailed.IsZero() {
			t.Errorf("%+v", d)
		}
		if n := got.count(); n != 0 {
			t.Errorf("handled %d more times", n)
		}
		if i := info(t, q); i.Ready+i.InFlight+i.Scheduled != 0 {
			t.Errorf("%+v", i)
		}
	})
}

func TestFailedAttemptsAndLostDeliveriesAreCountedApart(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		send(t, q, "x")
		victim := newPuller(t, q, leanmq.Lease(100*time.Millisecond), quick)
		next := func(deliveries, attempt int) *leanmq.Pulled {
			t.Helper()
			pulled, err := victim.Receive(t.Context(), 1)
			if err != nil || len(pulled) != 1 || pulled[0].Deliveries != deliveries || pulled[0].Attempt != attempt {
				t.Fatalf("%+v, %v; want delivery %d of attempt %d", pulled, err, deliveries, attempt)
			}
			return pulled[0]
		}
		next(1, 1) // lost
		if err := next(2, 1).Retry(t.Context(), errors.New("boom")); err != nil {
			t.Fatal(err)
		}
		next(1, 2) // lost
		if err := next(2, 2).Done(t.Context()); err != nil {
			t.Fatal(err)
		}
		becomesEmpty(t, q)
	})
}

// A consumer whose every message was lost has room again, and fetches: nothing is
// settled that would tell it.
func TestConsumerGoesOnAfterAllItHadWasLost(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		started, lost := make(chan string, 2), make(chan error, 1)
		consume(t, q, func(ctx context.Context, m *leanmq.Message) error {
			started <- string(m.Payload)
			if string(m.Payload) == "next" {
				return nil
			}
			<-ctx.Done()
			lost <- context.Cause(ctx)
			return ctx.Err()
		}, leanmq.Concurrency(1), leanmq.Lease(300*time.Millisecond))
		id := send(t, q, "lost")
		receive(t, "the first", started)
		c := rawClient(t, url)
		if err := c.XAck(t.Context(), "leanmq:{q}:q", "leanmq", id).Err(); err != nil {
			t.Fatal(err)
		}
		if err := c.XDel(t.Context(), "leanmq:{q}:q", id).Err(); err != nil {
			t.Fatal(err)
		}
		if err := receive(t, "the loss", lost); !errors.Is(err, leanmq.ErrLeaseLost) {
			t.Error(err)
		}
		send(t, q, "next")
		receive(t, "the next one", started)
		becomesEmpty(t, q)
	})
}
