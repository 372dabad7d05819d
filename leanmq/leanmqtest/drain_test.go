package leanmqtest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/leanmqtest"
)

// What a handler returns means the same as in a Consume with workers.
func TestDrainJudgesAsConsumeDoes(t *testing.T) {
	verdicts := map[string]leanmq.Handler{
		"done":        done,
		"error":       func(context.Context, *leanmq.Message) error { return errors.New("no") },
		"reject":      func(context.Context, *leanmq.Message) error { return leanmq.Reject(errors.New("bad")) },
		"retry after": func(context.Context, *leanmq.Message) error { return leanmq.RetryAfter(time.Hour, nil) },
		"panic":       func(context.Context, *leanmq.Message) error { panic("oh") },
		"wrapped":     func(context.Context, *leanmq.Message) error { return fmt.Errorf("w: %w", leanmq.Reject(nil)) },
	}
	want := map[string]leanmq.Outcome{
		"done": leanmq.OutcomeDone, "error": leanmq.OutcomeRetry, "reject": leanmq.OutcomeDead,
		"retry after": leanmq.OutcomeRetry, "panic": leanmq.OutcomeRetry, "wrapped": leanmq.OutcomeDead,
	}
	// Backoff longer than the test, so that nothing is tried twice.
	policy := leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 3, MinBackoff: 24 * time.Hour, MaxBackoff: 24 * time.Hour})
	for name, h := range verdicts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			drained, consumed := leanmqtest.New(t), leanmqtest.New(t)
			send(t, drained.Queue("q"), "m")
			got := drained.Drain(drained.Queue("q"), h, policy)
			if len(got) != 1 || got[0].Became != want[name] {
				t.Errorf("drained: %v, want %s", got, want[name])
			}

			send(t, consumed.Queue("q"), "m")
			consumed.Run(func(ctx context.Context) error { return consumed.Queue("q").Consume(ctx, h, policy) })
			eventually(t, "consumed", func() bool {
				i, err := consumed.Queue("q").Info(t.Context())
				return err == nil && i.Ready+i.InFlight == 0
			})
			if a, b := state(drained), state(consumed); a != b {
				t.Errorf("after Drain:   %s\nafter Consume: %s", a, b)
			}
		})
	}
}

// state describes what is in the queue, without what is random or about stacks.
func state(env *leanmqtest.Env) string {
	var b strings.Builder
	line := func(s string) string { first, _, _ := strings.Cut(s, "\n"); return first }
	for _, s := range env.Sent(env.Queue("q")) {
		fmt.Fprintf(&b, "%s attempt %d after %q, scheduled: %t; ", s.Payload, s.Attempt, line(s.LastError), !s.Due.IsZero())
	}
	for _, d := range env.DeadLetters(env.Queue("q")) {
		fmt.Fprintf(&b, "%s dead after %d: %s %q; ", d.Message.Payload, d.Message.Attempt, d.Reason, line(d.Error))
	}
	return b.String()
}

func TestDrainHandlesInOrderWhatTheHandlerSends(t *testing.T) {
	t.Parallel()
	env := leanmqtest.New(t)
	q := env.Queue("q")
	send(t, q, "3")
	send(t, q, "1")
	count := func(ctx context.Context, m *leanmq.Message) error {
		if n := m.Payload[0]; n > '1' {
			_, err := q.Send(ctx, []byte{n - 1})
			return err
		}
		return nil
	}
	same(t, env.Drain(q, count), `q "3": done`, `q "1": done`, `q "2": done`, `q "1": done`)
	same(t, env.Drain(q, count))
	env.RequireEmpty(q)
}

func TestDrainRetriesWhatIsDueOnly(t *testing.T) {
	t.Parallel()
	env := leanmqtest.New(t)
	q := env.Queue("q")
	send(t, q, "now")
	send(t, q, "later", leanmq.Delay(time.Millisecond))
	failing := func(_ context.Context, m *leanmq.Message) error {
		switch m.Attempt {
		case 1:
			return leanmq.RetryAfter(0, errors.New("at once"))
		case 2:
			return leanmq.RetryAfter(time.Millisecond, errors.New("soon"))
		}
		return nil
	}
	same(t, env.Drain(q, failing), `q "now": retry in 0s: at once`, `q "now", attempt 2: retry in 1ms: soon`)
	time.Sleep(5 * time.Millisecond) // real time does not count
	same(t, env.Drain(q, failing))
	env.Advance(time.Millisecond)
	same(t, env.Drain(q, failing),
		`q "now", attempt 3: done`, `q "later": retry in 0s: at once`, `q "later", attempt 2: retry in 1ms: soon`)
	env.RequireSent(q, "later")
}

// The default policy gives up after ten attempts, hours later.
func TestDrainUntilTheMessageIsDead(t *testing.T) {
	t.Parallel()
	env := leanmqtest.New(t)
	q := env.Queue("q")
	send(t, q, "m")
	broken := func(context.Context, *leanmq.Message) error { return errors.New("no") }
	attempts := 0
	for ; len(env.DeadLetters(q)) == 0 && attempts < 20; attempts++ {
		env.Drain(q, broken)
		env.Advance(10 * time.Minute) // the longest backoff
	}
	dead := env.DeadLetters(q)
	if attempts != 10 || len(dead) != 1 || dead[0].Reason != leanmq.ReasonExhausted || dead[0].Message.Attempt != 10 {
		t.Errorf("after %d attempts: %+v", attempts, dead)
	}
	if d := dead[0].LastFailed.Sub(dead[0].FirstFailed); d != 90*time.Minute {
		t.Errorf("it failed for %v", d)
	}
}

func TestDrainAnswersRequests(t *testing.T) {
	t.Parallel()
	env := leanmqtest.New(t, leanmq.Compress(1)) // replies are shown as the caller sees them
	q := env.Queue("prices")
	inbox, err := env.OpenInbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer inbox.Close()
	ask := func(what string, h leanmq.Handler) (leanmqtest.Drained, *leanmq.Reply) {
		var wg sync.WaitGroup
		var reply *leanmq.Reply
		wg.Go(func() {
			var err error
			if reply, err = inbox.Request(t.Context(), q, []byte(what)); err != nil {
				t.Error(err)
			}
		})
		eventually(t, "the request", func() bool { return len(env.Sent(q)) == 1 })
		drained := env.Drain(q, h)
		wg.Wait()
		return drained, reply
	}
	price := strings.Repeat("7.49 ", 20)
	drained, reply := ask("cable", func(_ context.Context, m *leanmq.Message) error {
		m.Reply(leanmq.Reply{Status: 201, Payload: []byte(price)})
		return nil
	})
	same(t, drained, `prices "cable": done, replied 201 "`+price+`"`)
	if reply.Status != 201 || string(reply.Payload) != price {
		t.Errorf("%+v", reply)
	}
	drained, reply = ask("unicorn", func(context.Context, *leanmq.Message) error { return errors.New("no such thing") })
	same(t, drained, `prices "unicorn": done, replied 500 "": no such thing`)
	if reply.Status != 500 {
		t.Errorf("%+v", reply)
	}
}

func TestDrainDropsWhatHasExpired(t *testing.T) {
	t.Parallel()
	env := leanmqtest.New(t)
	q := env.Queue("q")
	send(t, q, "short", leanmq.TTL(time.Minute))
	send(t, q, "long", leanmq.TTL(time.Hour))
	send(t, q, "for ever")
	time.Sleep(5 * time.Millisecond)
	env.Advance(time.Minute)
	same(t, env.Drain(q, done), `q "short": dropped (expired)`, `q "long": done`, `q "for ever": done`)

	// It cannot expire before the clock has moved, however long the test takes.
	send(t, q, "blink", leanmq.TTL(20*time.Millisecond))
	time.Sleep(40 * time.Millisecond)
	same(t, env.Drain(q, done), `q "blink": done`)

	send(t, q, "slow", leanmq.TTL(10*time.Millisecond))
	same(t, env.Drain(q, func(ctx context.Context, _ *leanmq.Message) error {
		<-ctx.Done() // by real time
		return context.Cause(ctx)
	}), `q "slow": dropped (expired): `+leanmq.ErrExpired.Error())
	env.RequireEmpty(q)
}

func TestDrainBuriesWhatIsNoMessage(t *testing.T) {
	t.Parallel()
	env := leanmqtest.New(t)
	q := env.Queue("q")
	send(t, q, "m")
	opts, err := redis.ParseURL(env.URL())
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(opts)
	defer rdb.Close()
	if err := rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: "leanmq:{q}:q", Values: []string{"a", "not a number"}}).Err(); err != nil {
		t.Fatal(err)
	}
	drained := env.Drain(q, done)
	if len(drained.Done()) != 1 || len(drained.Dead()) != 1 || drained.Dead()[0].Reason != leanmq.ReasonMalformed {
		t.Error(drained)
	}
}

func TestHandlerMayEndTheTest(t *testing.T) {
	t.Parallel()
	var env *leanmqtest.Env
	text := failure(t, func(e *leanmqtest.Env) {
		env = e
		send(t, e.Queue("q"), "m")
		e.Drain(e.Queue("q"), func(context.Context, *leanmq.Message) error {
			e.RequireSent(e.Queue("q"), "something else")
			return nil
		})
		t.Error("Drain went on")
	})
	if !strings.Contains(text, `"something else"`) {
		t.Error(text)
	}
	// Nobody holds the message any more.
	same(t, env.Drain(env.Queue("q"), done), `q "m": done`)
}

func TestDrainEndsAtItsBound(t *testing.T) {
	t.Parallel()
	text := failure(t, func(env *leanmqtest.Env) {
		env.SetMost(20)
		ping, pong := env.Queue("ping"), env.Queue("pong")
		to := func(q *leanmq.Queue) leanmq.Handler {
			return func(ctx context.Context, _ *leanmq.Message) error {
				_, err := q.Send(ctx, []byte("ball"))
				return err
			}
		}
		send(t, ping, "ball")
		env.DrainAll(
			leanmqtest.Worker{Queue: ping, Handler: to(pong)},
			leanmqtest.Worker{Queue: pong, Handler: to(ping)},
		)
	})
	if !strings.Contains(text, "more are ready") || !strings.Contains(text, `pong "ball": done`) {
		t.Error(text)
	}
}

func TestDrainRefusesBadArguments(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]func(*leanmqtest.Env){
		"handler is nil": func(e *leanmqtest.Env) { e.Drain(e.Queue("q"), nil) },
		"Lease is 1ns":   func(e *leanmqtest.Env) { e.Drain(e.Queue("q"), done, leanmq.Lease(1)) },
		`step "a:b:c:d"`: func(e *leanmqtest.Env) { e.Drain(e.Queue("a:b:c:d"), done) },
	} {
		if text := failure(t, f); !strings.Contains(text, want) {
			t.Errorf("%q does not say %q", text, want)
		}
	}
}

// Two processes share a queue.
func TestDrainsRunConcurrently(t *testing.T) {
	t.Parallel()
	env := leanmqtest.New(t)
	q := env.Queue("q")
	const n = 100
	for range n {
		send(t, q, "m")
	}
	var wg sync.WaitGroup
	var counts [3]int
	for i := range counts {
		other := env.Open().Queue("q")
		wg.Go(func() { counts[i] = len(env.Drain(other, done).Done()) })
	}
	wg.Wait()
	if sum := counts[0] + counts[1] + counts[2]; sum != n {
		t.Errorf("%v messages were done, want %d together", counts, n)
	}
	env.RequireEmpty(q)
}
