package leanmqtest_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/leanmqtest"
)

func TestEnvsAreIsolated(t *testing.T) {
	t.Parallel()
	for i := range 10 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			env := leanmqtest.New(t)
			q := env.Queue("q")
			send(t, q, fmt.Sprint(i))
			env.RequireSent(q, fmt.Sprint(i))
			env.Advance(time.Duration(i) * time.Hour)
			same(t, env.Drain(q, done), fmt.Sprintf("q %q: done", fmt.Sprint(i)))
		})
	}
}

func TestEnvEndsWithItsTest(t *testing.T) {
	t.Parallel()
	var env *leanmqtest.Env
	var other *leanmq.Client
	returned := false
	t.Run("the test", func(t *testing.T) {
		env = leanmqtest.New(t)
		other = env.Open()
		env.Run(func(ctx context.Context) error {
			err := env.Queue("q").Consume(ctx, done)
			returned = true
			return err
		})
	})
	for _, c := range []*leanmq.Client{env.Client, other} {
		if err := c.Ping(t.Context()); !errors.Is(err, leanmq.ErrClosed) {
			t.Errorf("a client after the test: %v", err)
		}
	}
	if _, err := leanmq.Open(t.Context(), env.URL()); !errors.Is(err, leanmq.ErrUnavailable) {
		t.Errorf("the store after the test: %v", err)
	}
	if !returned {
		t.Error("what Run runs goes on after the test")
	}
}

func TestOptionsAreThoseOfTheClient(t *testing.T) {
	t.Parallel()
	env := leanmqtest.New(t, leanmq.Prefix("a"))
	send(t, env.Queue("q"), "m")
	env.RequireEmpty(env.Open().Queue("q"))
	env.RequireSent(env.Open(leanmq.Prefix("a")).Queue("q"), "m")
}

// All that has a time goes by the clock that Advance moves.
func TestAdvance(t *testing.T) {
	t.Parallel()
	env := leanmqtest.New(t)
	q := env.Queue("q")
	begin := env.Now()
	if id := send(t, q, "plain"); id != fmt.Sprintf("%d-0", begin.UnixMilli()) {
		t.Errorf("id %s at %d", id, begin.UnixMilli())
	}
	send(t, q, "once", leanmq.ID("x"), leanmq.Dedupe(time.Hour))
	send(t, q, "at", leanmq.At(begin.Add(2*time.Hour)))
	send(t, q, "delayed", leanmq.Delay(time.Hour))

	env.Advance(time.Hour - time.Millisecond)
	if _, err := q.Send(t.Context(), nil, leanmq.ID("x")); !errors.Is(err, leanmq.ErrDuplicate) {
		t.Errorf("within the window: %v", err)
	}
	same(t, env.Drain(q, done), `q "plain": done`, `q "once": done`)
	env.Advance(time.Millisecond)
	send(t, q, "once more", leanmq.ID("x"))
	same(t, env.Drain(q, done), `q "once more": done`, `q "delayed": done`)

	sent := env.Sent(q)
	if len(sent) != 1 || !sent[0].Due.Equal(begin.Add(2*time.Hour)) || !sent[0].SentAt.Equal(begin) {
		t.Errorf("%+v", sent)
	}
	if now := env.Now(); now.Sub(begin) != time.Hour {
		t.Errorf("the clock is %v later", now.Sub(begin))
	}
	env.Advance(time.Hour)
	same(t, env.Drain(q, done), `q "at": done`)
}

// What runs in the background learns at once, without waiting for its next look.
func TestAdvanceWakesConsumers(t *testing.T) {
	t.Parallel()
	env := leanmqtest.New(t)
	q := env.Queue("q")
	puller, err := env.Open().Queue("q").Puller(leanmq.Lease(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	send(t, q, "held")
	if got, err := puller.Receive(t.Context(), 1); err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	handsBack, err := q.Puller()
	if err != nil {
		t.Fatal(err)
	}
	send(t, q, "handed back")
	if got, err := handsBack.Receive(t.Context(), 1); err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	if err := handsBack.Close(); err != nil {
		t.Fatal(err)
	}
	send(t, q, "delayed", leanmq.Delay(24*time.Hour))
	send(t, q, "expired", leanmq.Delay(24*time.Hour), leanmq.TTL(time.Hour))
	var handled atomic.Int32
	env.Run(func(ctx context.Context) error {
		return q.Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
			if string(m.Payload) == "expired" {
				t.Error("an expired message was handled")
			}
			handled.Add(1)
			return nil
		}, leanmq.Lease(time.Hour)) // looks every 20 minutes
	})
	eventually(t, "the consumer has taken over what it could", func() bool { return handled.Load() == 1 })
	env.Advance(24 * time.Hour)
	eventually(t, "the other two", func() bool { return handled.Load() == 3 })
	eventually(t, "empty", func() bool { return len(env.Sent(q)) == 0 })
}

// The race detector sees an Advance beside consumers, renewals and sends.
func TestAdvanceBesideConsumers(t *testing.T) {
	t.Parallel()
	env := leanmqtest.New(t)
	q := env.Queue("q")
	var handled atomic.Int32
	env.Run(func(ctx context.Context) error {
		return q.Consume(ctx, func(context.Context, *leanmq.Message) error {
			time.Sleep(time.Millisecond)
			handled.Add(1)
			return nil
		}, leanmq.Lease(100*time.Millisecond), leanmq.MaxDeliveries(1_000_000))
	})
	for i := range 50 {
		send(t, q, "m", leanmq.Delay(time.Duration(i)*time.Millisecond))
		env.Advance(20 * time.Millisecond)
	}
	env.Advance(time.Second)
	eventually(t, "all are handled", func() bool { return handled.Load() >= 50 && len(env.Sent(q)) == 0 })
	env.RequireEmpty(q)
}

func TestRunReportsErrors(t *testing.T) {
	t.Parallel()
	rec := &recordT{TB: t}
	env := leanmqtest.New(rec)
	env.Run(func(ctx context.Context) error { return env.Queue("a:b:c:d").Consume(ctx, done) })
	rec.end()
	if len(rec.errors) != 1 {
		t.Errorf("reported: %q", rec.errors)
	}
}
