package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestDoneLeavesNothingBehind(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		var got record
		c := consume(t, q, got.done)
		for i := range 300 {
			send(t, q, fmt.Sprint(i))
		}
		got.wait(t, 300)
		becomesEmpty(t, q)
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		if i := info(t, q); i != (leanmq.QueueInfo{Name: "jobs"}) {
			t.Errorf("%+v", i)
		}
		if n := got.count(); n != 300 {
			t.Errorf("%d were handled", n)
		}
		for _, key := range rawClient(t, url).Keys(t.Context(), "*").Val() {
			if key != "leanmq:queues" && key != "leanmq:{jobs}:jobs" {
				t.Errorf("left: %s", key)
			}
		}
	})
}

func TestErrorIsRetriedUntilTheMessageIsExhausted(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		var got record
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			got.add(m)
			return fmt.Errorf("attempt %d: boom", m.Attempt)
		}, quick)
		begin := time.Now().Truncate(time.Millisecond)
		id := send(t, q, "\x00payload\xff", leanmq.WithHeader("kk", "v"), leanmq.Target("/x"))
		d := oneDead(t, q)
		all := got.list()
		if len(all) != 3 {
			t.Fatalf("%d attempts, want 3", len(all))
		}
		for i, m := range all {
			lastError := ""
			if i > 0 {
				lastError = fmt.Sprintf("attempt %d: boom", i)
			}
			if m.Attempt != i+1 || m.Deliveries != 1 || m.ID != id || m.Payload != "\x00payload\xff" || m.LastError != lastError ||
				m.Header.Get("kk") != "v" || m.Target != "/x" || !m.SentAt.Equal(all[0].SentAt) {
				t.Errorf("attempt %d: %+v", i+1, m)
			}
		}
		if d.Reason != leanmq.ReasonExhausted || d.Error != "attempt 3: boom" || d.Message.Attempt != 3 {
			t.Errorf("%+v", d)
		}
		m := &d.Message
		if m.ID != id || string(m.Payload) != "\x00payload\xff" || !maps.Equal(m.Header, leanmq.Header{"kk": "v"}) ||
			m.Target != "/x" || m.Queue != "jobs" || !m.SentAt.Equal(all[0].SentAt) {
			t.Errorf("%+v", m)
		}
		if d.FirstFailed.Before(begin) || d.FirstFailed.After(all[1].At) || d.LastFailed.Before(d.FirstFailed) ||
			d.LastFailed.Before(all[2].At.Truncate(time.Millisecond)) || d.LastFailed.After(time.Now()) {
			t.Errorf("first failed %v, last %v; sent %v, tried %v, %v, %v", d.FirstFailed, d.LastFailed, begin, all[0].At, all[1].At, all[2].At)
		}
		if i := info(t, q); i.Ready+i.InFlight+i.Scheduled != 0 || i.Dead != 1 {
			t.Errorf("%+v", i)
		}
	})
}

func TestRetryThatSucceedsLeavesNothingBehind(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		var got record
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			got.add(m)
			if m.Attempt < 3 {
				return errors.New("not yet")
			}
			return nil
		}, quick)
		send(t, q, "x")
		got.wait(t, 3)
		becomesEmpty(t, q)
	})
}

func TestRejectDeadLettersAtOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		for name, err := range map[string]error{
			"reject":  leanmq.Reject(errors.New("no such user")),
			"wrapped": fmt.Errorf("handling: %w", leanmq.Reject(errors.New("no such user"))),
		} {
			q := mq.Queue(name)
			var got record
			consume(t, q, func(_ context.Context, m *leanmq.Message) error {
				got.add(m)
				return err
			})
			id := send(t, q, "x")
			d := oneDead(t, q)
			if d.Reason != leanmq.ReasonRejected || d.Error != err.Error() || d.Message.ID != id || d.Message.Attempt != 1 {
				t.Errorf("%s: %+v", name, d)
			}
			if n := got.count(); n != 1 {
				t.Errorf("%s: handled %d times", name, n)
			}
		}
	})
}

func TestRejectAndRetryAfterKeepTheCause(t *testing.T) {
	cause := errors.New("cause")
	for _, err := range []error{leanmq.Reject(cause), leanmq.RetryAfter(time.Second, cause)} {
		if !errors.Is(err, cause) || err.Error() != "cause" {
			t.Errorf("%v", err)
		}
	}
	for _, err := range []error{leanmq.Reject(nil), leanmq.RetryAfter(time.Second, nil)} {
		if err == nil || err.Error() == "" {
			t.Errorf("without a cause: %v", err)
		}
	}
}

func TestRetryAfterComesThenAndNotBefore(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		var got record
		const after = 120 * time.Millisecond
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			got.add(m)
			if m.Attempt == 1 {
				return fmt.Errorf("later: %w", leanmq.RetryAfter(after, errors.New("busy")))
			}
			return nil
		}, leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 2, MinBackoff: time.Hour, MaxBackoff: time.Hour}))
		send(t, q, "x")
		all := got.wait(t, 2)
		if took := all[1].At.Sub(all[0].At); took < after-time.Millisecond || took > after+time.Second {
			t.Errorf("retried after %v, want %v", took, after)
		}
		if all[1].Attempt != 2 || all[1].LastError != "later: busy" {
			t.Errorf("%+v", all[1])
		}
		becomesEmpty(t, q)
	})
}

func TestRetryAfterCountsAsAnAttempt(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		consume(t, q, func(context.Context, *leanmq.Message) error {
			return leanmq.RetryAfter(0, errors.New("busy"))
		}, quick)
		send(t, q, "x")
		if d := oneDead(t, q); d.Reason != leanmq.ReasonExhausted || d.Message.Attempt != 3 {
			t.Errorf("%+v", d)
		}
	})
}

func TestPanicIsAnErrorWithItsStack(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		cause := errors.New("an error value")
		for name, value := range map[string]any{"text": "kaboom", "error": cause} {
			q := mq.Queue(name)
			var got record
			consume(t, q, func(_ context.Context, m *leanmq.Message) error {
				got.add(m)
				panicHere(value)
				return nil
			}, leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 2, MinBackoff: time.Millisecond}), leanmq.Concurrency(1))
			send(t, q, "x")
			d := oneDead(t, q)
			if d.Reason != leanmq.ReasonExhausted || !strings.HasPrefix(d.Error, fmt.Sprintf("panic: %v", value)) || !strings.Contains(d.Error, "panicHere") {
				t.Errorf("%s: %s: %s", name, d.Reason, d.Error)
			}
			if n := got.count(); n != 2 {
				t.Errorf("%s: %d attempts, want 2: a panic is retried like an error", name, n)
			}
			send(t, q, "the worker lives on")
			got.wait(t, 3)
		}
	})
}

func panicHere(value any) { panic(value) }

func TestLongErrorsAreCut(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		consume(t, q, func(context.Context, *leanmq.Message) error {
			return leanmq.Reject(errors.New("begin " + strings.Repeat("long ", 100_000)))
		})
		send(t, q, "x")
		if d := oneDead(t, q); !strings.HasPrefix(d.Error, "begin ") || len(d.Error) > 8<<10 {
			t.Errorf("%d bytes: %.50s", len(d.Error), d.Error)
		}
	})
}

func TestForeignMessageNeedsOnlyAPayload(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		id, err := rawClient(t, url).Do(t.Context(), "XADD", "leanmq:{jobs}:jobs", "*", "p", "hello", "kk", "v").Text()
		if err != nil {
			t.Fatal(err)
		}
		var got record
		consume(t, q, got.done)
		if m := got.wait(t, 1)[0]; m.ID != id || m.Payload != "hello" || m.Header.Get("kk") != "v" || m.Attempt != 1 {
			t.Errorf("%+v", m)
		}
		becomesEmpty(t, q)
	})
}

func TestMalformedMessagesAreDeadLetteredAndTheRestGoesOn(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		c := rawClient(t, url)
		malformed := [][]any{{"foo", "bar"}, {"p", "x", "a", "many"}, {"p", "x", "t", "never"}, {"p", "x", "", "y"}}
		ids := map[string]bool{}
		for i, fields := range malformed {
			send(t, q, fmt.Sprint("good ", i))
			id, err := c.Do(t.Context(), append([]any{"XADD", "leanmq:{jobs}:jobs", "*"}, fields...)...).Text()
			if err != nil {
				t.Fatal(err)
			}
			ids[id] = true
		}
		var got record
		consume(t, q, got.done, leanmq.Concurrency(1))
		got.wait(t, len(malformed))
		eventually(t, "the malformed ones are dead", func() bool { return info(t, q).Dead == int64(len(malformed)) })
		for _, d := range deadLetters(t, q) {
			if d.Reason != leanmq.ReasonMalformed || !strings.Contains(d.Error, "malformed") || !ids[d.Message.ID] {
				t.Errorf("%+v", d)
			}
		}
		if got := got.payloads(); !slices.Equal(got, []string{"good 0", "good 1", "good 2", "good 3"}) {
			t.Errorf("handled: %q", got)
		}
		eventually(t, "nothing else is left", func() bool { i := info(t, q); return i.Ready+i.InFlight+i.Scheduled == 0 })
	})
}

func TestHandlerSeesTheValuesOfTheContextButNotItsEnd(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		type key struct{}
		q := open(t, url).Queue("jobs")
		ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "value"))
		defer cancel()
		running, finish := make(chan any, 1), make(chan struct{})
		result := make(chan error, 1)
		go func() {
			result <- q.Consume(ctx, func(ctx context.Context, _ *leanmq.Message) error {
				running <- ctx.Value(key{})
				<-finish
				return ctx.Err()
			}, leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 1}))
		}()
		send(t, q, "x")
		if v := receive(t, "the handler runs", running); v != "value" {
			t.Errorf("value %v", v)
		}
		cancel()
		close(finish)
		if err := receive(t, "the drain", result); err != nil {
			t.Error(err)
		}
		if i := info(t, q); i.Dead+i.Ready+i.InFlight+i.Scheduled != 0 {
			t.Errorf("the handler's context ended with Consume's: %+v", i)
		}
	})
}
