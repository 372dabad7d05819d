package leanmq_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

func TestHooksCountEachOutcomeOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var first, o observer
		mq := open(t, url, leanmq.Observe(first.hooks()), leanmq.Observe(o.hooks()), leanmq.Observe(leanmq.Hooks{}))
		q := mq.Queue("jobs")
		broken := errors.New("broken")
		for range 3 {
			send(t, q, "done")
			send(t, q, "second time")
			send(t, q, "failing")
			send(t, q, "rejected")
		}
		for range 2 {
			if err := rawClient(t, url).Do(t.Context(), "XADD", "leanmq:{jobs}:jobs", "*", "foo", "bar").Err(); err != nil {
				t.Fatal(err)
			}
		}
		c := consume(t, q, func(ctx context.Context, m *leanmq.Message) error {
			switch string(m.Payload) {
			case "second time":
				if m.Attempt == 2 {
					return nil
				}
				return broken
			case "failing":
				return broken
			case "rejected":
				return leanmq.Reject(broken)
			case "too slow":
				<-ctx.Done()
				return ctx.Err()
			case "answered":
				m.Reply(leanmq.Reply{Status: 400})
				return broken
			case "busy":
				time.Sleep(30 * time.Millisecond)
			}
			return nil
		}, quick, leanmq.Concurrency(16))
		if _, err := openInbox(t, mq).Request(t.Context(), q, []byte("answered")); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			send(t, q, "too slow", leanmq.TTL(time.Second))
		}
		send(t, q, "busy")
		eventually(t, "all are settled", func() bool {
			i := info(t, q)
			return i.Ready+i.InFlight+i.Scheduled == 0
		})
		if err := c.Stop(); err != nil { // what is settled has been told then
			t.Error(err)
		}
		want := map[string]int{
			"done":    3 + 3 + 2,
			"retry":   3 + 2*3,
			"dead":    3 + 3,
			"dropped": 3,
			"expired": 3,

			"dead letter: exhausted, attempt 3": 3,
			"dead letter: rejected, attempt 1":  3,
			"dead letter: malformed, attempt 0": 2,
		}
		o.is(t, want)
		first.is(t, want)
		for _, h := range o.handled {
			ok := h.Queue == "jobs" && h.ID != "" && h.Attempt > 0 && h.Took > 0 && h.Waited >= 0 && h.Waited < time.Minute
			switch h.Outcome {
			case leanmq.OutcomeDone:
				if h.Took >= 30*time.Millisecond {
					ok = ok && h.Err == nil
				}
			case leanmq.OutcomeDropped:
				ok = ok && errors.Is(h.Err, context.DeadlineExceeded)
			default:
				ok = ok && errors.Is(h.Err, broken)
			}
			if !ok {
				t.Errorf("%+v", h)
			}
		}
		if !slices.ContainsFunc(o.handled, func(h leanmq.HandleInfo) bool { return h.Took >= 30*time.Millisecond }) {
			t.Error("no run took as long as the one that was busy")
		}

		// One that expires while nobody is there is dropped without a run.
		send(t, q, "expired", leanmq.TTL(time.Millisecond))
		expire(time.Millisecond)
		c = consume(t, q, func(context.Context, *leanmq.Message) error { return nil })
		becomesGone(t, q)
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		o.is(t, map[string]int{"expired": 1})
	})
}

func TestHooksTellWhatIsHandedBack(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var o observer
		q := open(t, url, leanmq.Observe(o.hooks())).Queue("jobs")
		running := make(chan struct{}, 2)
		c := consume(t, q, func(ctx context.Context, _ *leanmq.Message) error {
			running <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}, leanmq.DrainTimeout(50*time.Millisecond), leanmq.Concurrency(2))
		for range 3 { // one of which is never begun with
			send(t, q, "x")
		}
		receive(t, "a handler runs", running)
		receive(t, "another one runs", running)
		if err := c.Stop(); !errors.Is(err, leanmq.ErrDrainTimeout) {
			t.Errorf("%v", err)
		}
		o.is(t, map[string]int{"handed back": 2})
		if n := info(t, q); n.InFlight+n.Ready != 3 {
			t.Errorf("%+v", n)
		}
	})
}

func TestHooksTellOfALostLeaseOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		for _, when := range []string{"at the renewal", "at the settling"} {
			var o observer
			q := open(t, url, leanmq.Observe(o.hooks())).Queue("jobs")
			lease := time.Hour
			if when == "at the renewal" {
				lease = 1500 * time.Millisecond
			}
			running, finish := make(chan struct{}, 1), make(chan struct{})
			c := consume(t, q, func(ctx context.Context, _ *leanmq.Message) error {
				running <- struct{}{}
				select {
				case <-finish:
				case <-ctx.Done():
				}
				return nil
			}, leanmq.Lease(lease))
			id := send(t, q, "x")
			receive(t, "the handler runs", running)
			thief := newPuller(t, open(t, url).Queue("jobs"), leanmq.Lease(100*time.Millisecond))
			m := pull(t, thief, 1)[0]
			told := func() bool {
				o.mu.Lock()
				defer o.mu.Unlock()
				return o.counts["lost"] > 0
			}
			if when == "at the settling" {
				close(finish)
			}
			eventually(t, "it is told "+when, told)
			if err := m.Done(t.Context()); err != nil {
				t.Error(err)
			}
			if err := c.Stop(); err != nil {
				t.Error(err)
			}
			o.is(t, map[string]int{"lost": 1, "lease lost: jobs/" + id: 1})
		}
	})
}

func TestHooksTellOfPulledMessages(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var o observer
		q := open(t, url, leanmq.Observe(o.hooks())).Queue("jobs")
		p := newPuller(t, q, leanmq.Lease(time.Hour), leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 2}))
		send(t, q, "expired", leanmq.TTL(time.Millisecond))
		expire(time.Millisecond)
		for range 5 {
			send(t, q, "x")
		}
		broken := errors.New("broken")
		var ms []*leanmq.Pulled
		for len(ms) < 5 {
			ms = append(ms, pull(t, p, 5-len(ms))...)
		}
		for i, err := range []error{ms[0].Done(t.Context()), ms[1].Retry(t.Context(), leanmq.RetryAfter(time.Hour, broken)), ms[2].Reject(t.Context(), broken)} {
			if err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
		_ = ms[0].Done(t.Context()) // a mistake, and told once
		thief := newPuller(t, open(t, url).Queue("jobs"), leanmq.Lease(100*time.Millisecond))
		for taken := map[string]bool{}; len(taken) < 2; {
			for _, m := range pull(t, thief, 2) {
				taken[m.ID] = true
			}
		}
		for _, m := range ms[3:] {
			if err := m.Extend(t.Context()); !errors.Is(err, leanmq.ErrLeaseLost) {
				t.Errorf("%v", err)
			}
		}
		if err := ms[3].Done(t.Context()); !errors.Is(err, leanmq.ErrLeaseLost) {
			t.Errorf("%v", err)
		}
		o.is(t, map[string]int{
			"expired": 1, "done": 1, "retry": 1, "dead": 1, "lost": 1,
			"dead letter: rejected, attempt 1":     1,
			"lease lost: jobs/" + ms[3].ID:         1,
			"lease lost: jobs/" + ms[4].Message.ID: 1,
		})
		for _, h := range o.handled {
			failed := h.Outcome == leanmq.OutcomeRetry || h.Outcome == leanmq.OutcomeDead
			if h.Took <= 0 || failed != errors.Is(h.Err, broken) {
				t.Errorf("%+v", h)
			}
		}
	})
}

func TestHooksTellOfMessagesThatKillTheirWorkers(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const lease = 100 * time.Millisecond
		victims := open(t, url).Queue("jobs")
		p := newPuller(t, victims, leanmq.Lease(time.Hour))
		send(t, victims, "1")
		send(t, victims, "2")
		for n := 0; n < 2; {
			n += len(pull(t, p, 2))
		}
		var o observer
		q := open(t, url, leanmq.Observe(o.hooks())).Queue("jobs")
		c := consume(t, q, new(record).done, leanmq.Lease(lease), leanmq.MaxDeliveries(1))
		eventually(t, "they are dead, and that is told", func() bool {
			o.mu.Lock()
			defer o.mu.Unlock()
			return len(o.counts) > 0 && info(t, q).Dead == 2
		})
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		o.is(t, map[string]int{"dead letter: crashed, attempt 0": 2})
	})
}

func TestPanicOfAHookIsHarmlessAndLoggedOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var log testkit.Log
		var o observer
		mq := open(t, url, leanmq.Logger(zerolog.New(&log)), leanmq.Observe(leanmq.Hooks{
			Sent:    func(leanmq.SendInfo) { panic("oops, sent") },
			Handled: func(leanmq.HandleInfo) { panic("oops, handled") },
			Dead:    func(leanmq.DeadInfo) { panic("oops, dead") },
		}), leanmq.Observe(o.hooks()))
		q := mq.Queue("jobs")
		c := consume(t, q, func(context.Context, *leanmq.Message) error { return leanmq.Reject(nil) })
		for range 10 {
			send(t, q, "x")
		}
		eventually(t, "all are dead", func() bool { return info(t, q).Dead == 10 })
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		o.is(t, map[string]int{"dead": 10, "dead letter: rejected, attempt 1": 10})
		if len(o.sent) != 10 {
			t.Errorf("the hook behind it was told of %d sends", len(o.sent))
		}
		for _, hook := range []string{"sent", "handled", "dead"} {
			if n := strings.Count(log.String(), `"panic":"oops, `+hook+`"`); n != 1 {
				t.Errorf("the panic of %s was logged %d times", hook, n)
			}
		}
	})
}
