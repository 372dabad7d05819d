package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

// attemptsIn returns when the attempts of one failing message began, after the
// first one, in a bubble.
func attemptsIn(t *testing.T, q *leanmq.Queue, wait time.Duration, p leanmq.RetryPolicy, opts ...leanmq.SendOption) (at []time.Duration) {
	t.Helper()
	var begin time.Time
	stop := consumeIn(t, q, func(context.Context, *leanmq.Message) error {
		if len(at) == 0 {
			begin = time.Now()
		}
		at = append(at, time.Since(begin))
		return errors.New("boom")
	}, leanmq.Retry(p))
	if _, err := q.Send(t.Context(), nil, opts...); err != nil {
		t.Fatal(err)
	}
	time.Sleep(wait)
	stop()
	return at
}

// onTime checks that attempts began when they were due, and hardly later.
func onTime(t *testing.T, at []time.Duration, want ...time.Duration) {
	t.Helper()
	ok := len(at) == len(want)
	for i := range min(len(at), len(want)) {
		late := at[i] - want[i]
		ok = ok && late >= -time.Millisecond && late < time.Duration(i+1)*20*time.Millisecond
	}
	if !ok {
		t.Errorf("attempts began after %v, want %v", at, want)
	}
}

func TestFixedBackoffIsFixed(t *testing.T) {
	inBubble(t, func(t *testing.T, open func() *leanmq.Client) {
		mq := open()
		defer func() { _ = mq.Close() }()
		at := attemptsIn(t, mq.Queue("a"), 4*time.Minute, leanmq.RetryPolicy{MaxAttempts: 4, Backoff: leanmq.FixedBackoff(time.Minute)})
		onTime(t, at, 0, time.Minute, 2*time.Minute, 3*time.Minute)
		at = attemptsIn(t, mq.Queue("b"), 3*time.Minute, leanmq.RetryPolicy{MaxAttempts: 3, MinBackoff: time.Minute, MaxBackoff: time.Minute, NoJitter: true})
		onTime(t, at, 0, time.Minute, 2*time.Minute)
		at = attemptsIn(t, mq.Queue("c"), time.Minute, leanmq.RetryPolicy{MaxAttempts: 5, NoJitter: true})
		onTime(t, at, 0, time.Second, 3*time.Second, 7*time.Second, 15*time.Second)
		at = attemptsIn(t, mq.Queue("d"), 3*time.Minute, leanmq.RetryPolicy{
			MaxAttempts: 4, Backoff: leanmq.SequenceBackoff(time.Second, time.Minute),
		})
		onTime(t, at, 0, time.Second, 61*time.Second, 121*time.Second)
	})
}

func TestMessagesPolicyWinsOverTheConsumers(t *testing.T) {
	inBubble(t, func(t *testing.T, open func() *leanmq.Client) {
		mq := open()
		defer func() { _ = mq.Close() }()
		consumers := leanmq.RetryPolicy{MaxAttempts: 2, Backoff: leanmq.FixedBackoff(time.Minute)}
		at := attemptsIn(t, mq.Queue("a"), 4*time.Minute, consumers, leanmq.RetryWith(leanmq.RetryPolicy{MaxAttempts: 3}))
		onTime(t, at, 0, time.Minute, 2*time.Minute)
		at = attemptsIn(t, mq.Queue("b"), 4*time.Minute, consumers,
			leanmq.RetryWith(leanmq.RetryPolicy{MinBackoff: time.Second, MaxBackoff: time.Second, NoJitter: true}))
		onTime(t, at, 0, time.Second)
		at = attemptsIn(t, mq.Queue("c"), 4*time.Minute, consumers, leanmq.RetryWith(leanmq.RetryPolicy{}))
		onTime(t, at, 0, time.Minute)
		at = attemptsIn(t, mq.Queue("d"), 4*time.Minute, consumers, leanmq.Delay(time.Minute),
			leanmq.RetryWith(leanmq.RetryPolicy{MaxAttempts: 9, MaxAge: 2*time.Minute + time.Second}))
		onTime(t, at, 0, time.Minute)
		if ds := deadLetters(t, mq.Queue("d")); len(ds) != 1 || ds[0].Reason != leanmq.ReasonTooOld {
			t.Errorf("%+v", ds)
		}
	})
}

func TestNoAttemptBeginsAfterMaxAge(t *testing.T) {
	inBubble(t, func(t *testing.T, open func() *leanmq.Client) {
		mq := open()
		defer func() { _ = mq.Close() }()
		policy := leanmq.RetryPolicy{MaxAge: 150 * time.Second, Backoff: leanmq.FixedBackoff(time.Minute)}
		q := mq.Queue("q")
		onTime(t, attemptsIn(t, q, 4*time.Minute, policy), 0, time.Minute, 2*time.Minute)
		ds := deadLetters(t, q)
		if len(ds) != 1 || ds[0].Reason != leanmq.ReasonTooOld || ds[0].Message.Attempt != 3 || ds[0].Error != "boom" || len(ds[0].Message.History()) != 3 {
			t.Fatalf("%+v", ds)
		}
		if died := ds[0].LastFailed.Sub(ds[0].Message.SentAt); died > 121*time.Second {
			t.Errorf("it died %v after the send: as soon as it was clear", died)
		}

		// A new life, at a new age.
		if _, err := q.RequeueAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		runs := 0
		stop := consumeIn(t, q, func(context.Context, *leanmq.Message) error { runs++; return nil }, leanmq.Retry(policy))
		time.Sleep(time.Minute)
		stop()
		if runs != 1 {
			t.Errorf("requeued: %d attempts", runs)
		}

		// Nobody was there in time.
		if _, err := q.Send(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(151 * time.Second)
		stop = consumeIn(t, q, func(context.Context, *leanmq.Message) error { t.Error("an attempt"); return nil }, leanmq.Retry(policy))
		time.Sleep(time.Minute)
		stop()
		ds = deadLetters(t, q)
		if len(ds) != 1 || ds[0].Reason != leanmq.ReasonTooOld || ds[0].Message.Attempt != 0 || len(ds[0].Message.History()) != 0 ||
			!strings.Contains(ds[0].Error, "2m30s") {
			t.Errorf("%+v", ds)
		}
	})
}

func TestBackoffFunctionSeesAttemptAndError(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		cause := errors.New("cause")
		var mu sync.Mutex
		var calls []string
		backoff := func(attempt int, err error) time.Duration {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, fmt.Sprint(attempt, " ", err, " ", errors.Is(err, cause)))
			return -time.Hour
		}
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			if m.Attempt == 3 {
				return leanmq.RetryAfter(0, errors.New("not its business"))
			}
			return fmt.Errorf("no. %d: %w", m.Attempt, cause)
		}, leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 4, Backoff: backoff}))
		send(t, q, "x")
		oneDead(t, q)
		mu.Lock()
		defer mu.Unlock()
		if got := strings.Join(calls, ", "); got != "1 no. 1: cause true, 2 no. 2: cause true" {
			t.Errorf("called with %s", got)
		}
	})
}

func TestBackoffThatPanicsIsReplacedAndLogged(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var l testkit.Log
		q := open(t, url, leanmq.Logger(zerolog.New(&l))).Queue("jobs")
		var got record
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			got.add(m)
			if m.Attempt == 1 {
				return errors.New("boom")
			}
			return nil
		}, leanmq.Retry(leanmq.RetryPolicy{Backoff: func(int, error) time.Duration { panic("oops") }}))
		send(t, q, "x")
		all := got.wait(t, 2)
		if took := all[1].At.Sub(all[0].At); took > slack*3*time.Second {
			t.Errorf("retried after %v: the default is a second at most", took)
		}
		if !strings.Contains(l.String(), "oops") || !strings.Contains(l.String(), `"queue":"jobs"`) {
			t.Errorf("logged: %s", l.String())
		}
	})
}

func TestPolicyOfAMessageTravels(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		var got record
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			got.add(m)
			return errors.New("boom")
		}, leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 9, MinBackoff: time.Hour, MaxBackoff: time.Hour}))
		own := leanmq.RetryWith(leanmq.RetryPolicy{MaxAttempts: 3, MaxBackoff: time.Millisecond})
		id := send(t, q, "x", own, leanmq.Delay(time.Millisecond)) // through a script, and packed
		if d := oneDead(t, q); d.Message.ID != id || d.Message.Attempt != 3 || d.Reason != leanmq.ReasonExhausted {
			t.Errorf("%+v", d)
		}
		if _, err := q.RequeueAll(t.Context()); err != nil { // and into the next life
			t.Fatal(err)
		}
		got.wait(t, 6)
		if d := oneDead(t, q); d.Message.Attempt != 3 {
			t.Errorf("%+v", d)
		}
		if _, err := q.SendMany(t.Context(), [][]byte{nil, nil}, own); err != nil {
			t.Fatal(err)
		}
		eventually(t, "those are dead, too", func() bool { return info(t, q).Dead == 3 })
	})
}

func TestPolicyOfAMessageThatIsPulled(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		p := newPuller(t, q, quick)
		send(t, q, "x", leanmq.RetryWith(leanmq.RetryPolicy{MaxAttempts: 1}))
		if err := pull(t, p, 1)[0].Retry(t.Context(), errors.New("boom")); err != nil {
			t.Fatal(err)
		}
		if d := oneDead(t, q); d.Message.Attempt != 1 || d.Reason != leanmq.ReasonExhausted {
			t.Errorf("%+v", d)
		}
	})
}

func TestTooOldIsNotPulled(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		send(t, q, "old", leanmq.RetryWith(leanmq.RetryPolicy{MaxAge: time.Millisecond}))
		send(t, q, "good")
		expire(time.Millisecond)
		p := newPuller(t, q)
		if m := pull(t, p, 1)[0]; string(m.Payload) != "good" {
			t.Errorf("%s", m.Payload)
		}
		if d := oneDead(t, q); string(d.Message.Payload) != "old" || d.Reason != leanmq.ReasonTooOld || d.Message.Attempt != 0 {
			t.Errorf("%+v", d)
		}
	})
}

func TestMalformedPolicyOfAMessageIsIgnoredWithAWarning(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var l testkit.Log
		q := open(t, url, leanmq.Logger(zerolog.New(&l))).Queue("jobs")
		if err := rawClient(t, url).Do(t.Context(), "XADD", "leanmq:{jobs}:jobs", "*", "p", "x", "m", "n=1,min=soon").Err(); err != nil {
			t.Fatal(err)
		}
		consume(t, q, func(context.Context, *leanmq.Message) error { return errors.New("boom") }, quick)
		if d := oneDead(t, q); d.Message.Attempt != 3 || d.Reason != leanmq.ReasonExhausted {
			t.Errorf("%+v", d)
		}
		if n := strings.Count(l.String(), "min=soon"); n != 3 {
			t.Errorf("%d warnings for 3 deliveries: %s", n, l.String())
		}
	})
}

func TestPoliciesThatContradictThemselvesAreRefused(t *testing.T) {
	fixed := leanmq.FixedBackoff(time.Second)
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		for _, tt := range []struct {
			field, other string
			policy       leanmq.RetryPolicy
		}{
			{"Retry.Backoff", "MinBackoff", leanmq.RetryPolicy{Backoff: fixed, MinBackoff: time.Second}},
			{"Retry.Backoff", "MaxBackoff", leanmq.RetryPolicy{Backoff: fixed, MaxBackoff: time.Second}},
			{"Retry.Backoff", "NoJitter", leanmq.RetryPolicy{Backoff: fixed, NoJitter: true}},
			{"Retry.MaxAge", "", leanmq.RetryPolicy{MaxAge: -1}},
			{"Retry.MaxAge", "", leanmq.RetryPolicy{MaxAge: 87601 * time.Hour}},
		} {
			err := q.Consume(t.Context(), new(record).done, leanmq.Retry(tt.policy))
			isInvalid(t, err, tt.field)
			_, perr := q.Puller(leanmq.Retry(tt.policy))
			isInvalid(t, perr, tt.field)
			if !strings.Contains(err.Error(), tt.other) {
				t.Errorf("%v does not name %s", err, tt.other)
			}
		}
		for _, tt := range []struct {
			field, other string
			policy       leanmq.RetryPolicy
		}{
			{"RetryWith.Backoff", "MinBackoff, MaxBackoff and NoJitter", leanmq.RetryPolicy{Backoff: fixed}},
			{"RetryWith.MaxAttempts", "", leanmq.RetryPolicy{MaxAttempts: -1}},
			{"RetryWith.MinBackoff", "", leanmq.RetryPolicy{MinBackoff: 25 * time.Hour}},
			{"RetryWith.MaxBackoff", "", leanmq.RetryPolicy{MaxBackoff: time.Microsecond}},
			{"RetryWith.MaxBackoff", "", leanmq.RetryPolicy{MaxBackoff: -time.Second}},
			{"RetryWith.MaxBackoff", "MinBackoff", leanmq.RetryPolicy{MinBackoff: time.Minute, MaxBackoff: time.Second}},
			{"RetryWith.MaxAge", "", leanmq.RetryPolicy{MaxAge: -time.Second}},
			{"Delay", "RetryWith.MaxAge", leanmq.RetryPolicy{MaxAge: time.Minute}},
		} {
			opts := []leanmq.SendOption{leanmq.RetryWith(tt.policy)}
			if tt.field == "Delay" {
				opts = append(opts, leanmq.Delay(time.Hour))
			}
			_, err := q.Send(t.Context(), nil, opts...)
			isInvalid(t, err, tt.field)
			if err == nil || !strings.Contains(err.Error(), tt.other) {
				t.Errorf("%v does not name %s", err, tt.other)
			}
		}
		if i := info(t, q); i.Ready+i.Scheduled != 0 {
			t.Errorf("%+v", i)
		}
	})
}
