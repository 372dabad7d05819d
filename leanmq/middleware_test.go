package leanmq_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

// trail notes the way that messages take.
type trail struct {
	mu   sync.Mutex
	path map[string][]string // by payload
	made atomic.Int32        // how often middleware was composed
}

func (tr *trail) add(m *leanmq.Message, what string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.path == nil {
		tr.path = map[string][]string{}
	}
	tr.path[string(m.Payload)] = append(tr.path[string(m.Payload)], what)
}

func (tr *trail) of(payload string) string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return strings.Join(tr.path[payload], " ")
}

// by is middleware that leaves its name on the way in and on the way out.
func (tr *trail) by(name string) leanmq.Middleware {
	return func(next leanmq.Handler) leanmq.Handler {
		tr.made.Add(1)
		return func(ctx context.Context, m *leanmq.Message) error {
			tr.add(m, name)
			defer tr.add(m, "/"+name)
			return next(ctx, m)
		}
	}
}

func TestMiddlewareNestsAsListedAndIsComposedOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var tr trail
		mq := open(t, url, leanmq.UseAll(tr.by("a"), tr.by("b")), leanmq.UseAll(tr.by("c")))
		q := mq.Queue("jobs")
		c := consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			tr.add(m, "handler")
			return nil
		}, leanmq.Use(tr.by("d"), tr.by("e")), leanmq.Use(tr.by("f")), leanmq.MaxRunTime(time.Hour))
		for i := range 20 {
			send(t, q, fmt.Sprint(i))
		}
		becomesEmpty(t, q)
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		for i := range 20 {
			if got := tr.of(fmt.Sprint(i)); got != "a b c d e f handler /f /e /d /c /b /a" {
				t.Errorf("message %d went %s", i, got)
			}
		}
		if n := tr.made.Load(); n != 6 {
			t.Errorf("6 middlewares were composed %d times for one Consume of 20 messages", n)
		}
	})
}

func TestMiddlewareDecidesTheVerdict(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		broken := errors.New("broken")
		swallow := func(next leanmq.Handler) leanmq.Handler {
			return func(ctx context.Context, m *leanmq.Message) error {
				if err := next(ctx, m); err != nil && string(m.Payload) == "swallowed" {
					return nil
				}
				return leanmq.Reject(broken)
			}
		}
		q := open(t, url).Queue("jobs")
		consume(t, q, func(context.Context, *leanmq.Message) error { return broken }, leanmq.Use(swallow))
		send(t, q, "swallowed")
		send(t, q, "rejected")
		d := oneDead(t, q)
		if string(d.Message.Payload) != "rejected" || d.Reason != leanmq.ReasonRejected || d.Error != "broken" {
			t.Errorf("%+v", d)
		}
		eventually(t, "the other one is done", func() bool { i := info(t, q); return i.Ready+i.InFlight+i.Scheduled == 0 })
	})
}

func TestMiddlewareThatCannotWorkIsRefused(t *testing.T) {
	none := func(leanmq.Handler) leanmq.Handler { return nil }
	noSend := func(leanmq.SendFunc) leanmq.SendFunc { return nil }
	ok := leanmq.Recover()
	opened := func(opts ...leanmq.Option) error {
		mq, err := leanmq.Open(t.Context(), "mem://", opts...)
		if err == nil {
			_ = mq.Close()
		}
		return err
	}
	isInvalid(t, opened(leanmq.UseAll(ok, nil)), "UseAll")
	isInvalid(t, opened(leanmq.UseSend(nil)), "UseSend")
	isInvalid(t, opened(leanmq.UseSend(noSend)), "UseSend")

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	consumed := func(q *leanmq.Queue, opts ...leanmq.ConsumeOption) error {
		return q.Consume(ended, new(record).done, opts...)
	}
	q := open(t, "mem://").Queue("jobs")
	isInvalid(t, consumed(q, leanmq.Use(ok, nil)), "Use")
	isInvalid(t, consumed(q, leanmq.Use(none)), "Use")
	isInvalid(t, consumed(open(t, "mem://", leanmq.UseAll(none)).Queue("jobs")), "UseAll")
	for _, d := range []time.Duration{-time.Second, 0, time.Millisecond - 1, 24*time.Hour + 1} {
		isInvalid(t, consumed(q, leanmq.Use(ok, leanmq.Timeout(d))), "Timeout")
		if d != 0 { // no bound
			isInvalid(t, consumed(q, leanmq.MaxRunTime(d)), "MaxRunTime")
		}
	}
	for _, d := range []time.Duration{0, time.Millisecond, 24 * time.Hour} {
		if err := consumed(q, leanmq.MaxRunTime(d)); err != nil {
			t.Error(err)
		}
	}
	if _, err := q.Puller(leanmq.Use(nil)); !errors.Is(err, leanmq.ErrInvalid) {
		t.Error(err)
	}
}

func TestRecoverTurnsAPanicIntoAnErrorWhereItStands(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		got := make(chan error, 2)
		watch := func(next leanmq.Handler) leanmq.Handler {
			return func(ctx context.Context, m *leanmq.Message) error {
				returned := false
				defer func() {
					if !returned {
						got <- errors.New("it panicked through")
					}
				}()
				err := next(ctx, m)
				returned = true
				got <- err
				return err
			}
		}
		mq := open(t, url)
		oops := func(context.Context, *leanmq.Message) error { panic("oops") }
		for name, mws := range map[string][]leanmq.Middleware{
			"inside":  {watch, leanmq.Recover()},
			"outside": {leanmq.Recover(), watch},
		} {
			q := mq.Queue(name)
			consume(t, q, oops, leanmq.Use(mws...), leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 1}))
			send(t, q, "x")
			err := receive(t, "the run", got)
			var pe *leanmq.PanicError
			if is := errors.As(err, &pe); is != (name == "inside") {
				t.Errorf("Recover %s: %v", name, err)
			} else if is && (pe.Value != "oops" || !bytes.Contains(pe.Stack, []byte("middleware_test.go"))) {
				t.Errorf("%v\n%s", pe, pe.Stack)
			}
			if d := oneDead(t, q); !strings.HasPrefix(d.Error, "panic: oops") {
				t.Errorf("%s: %s", name, d.Error)
			}
		}
	})
}

func TestLoggingWritesOneLineARunAndNoPayload(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var log testkit.Log
		q := open(t, url, leanmq.UseAll(leanmq.Logging(zerolog.New(&log)))).Queue("jobs")
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			switch m.Header.Get("do") {
			case "fail":
				return errors.New("broken")
			case "reject":
				return leanmq.Reject(errors.New("no good"))
			case "later":
				if m.Attempt == 1 {
					return leanmq.RetryAfter(0, nil)
				}
			case "panic":
				panic("oops")
			}
			return nil
		}, leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 2, MinBackoff: time.Millisecond}), leanmq.Concurrency(1))
		ids := map[string]string{}
		for _, do := range []string{"", "fail", "reject", "later", "panic"} {
			id := send(t, q, "secret", leanmq.WithHeader("do", do), leanmq.WithHeader("other", "hidden"))
			ids[id] = do
		}
		eventually(t, "all are done or dead", func() bool {
			i := info(t, q)
			return i.Ready+i.InFlight+i.Scheduled == 0 && i.Dead == 3
		})
		if s := log.String(); strings.Contains(s, "secret") || strings.Contains(s, "hidden") {
			t.Errorf("the log tells secrets:\n%s", s)
		}
		got := map[string][]string{}
		for line := range strings.Lines(log.String()) {
			var l struct {
				Level, Queue, ID, Outcome, Error, Message string
				Attempt                                   int
				Took                                      *float64
			}
			if err := json.Unmarshal([]byte(line), &l); err != nil || l.Queue != "jobs" || l.Message != "handled" || l.Took == nil {
				t.Errorf("%v: %s", err, line)
			}
			do := ids[l.ID]
			got[do] = append(got[do], fmt.Sprintf("%s %d %s: %s", l.Level, l.Attempt, l.Outcome, l.Error))
		}
		want := map[string][]string{
			"":       {"info 1 done: "},
			"fail":   {"warn 1 failed: broken", "warn 2 failed: broken"},
			"reject": {"warn 1 rejected: no good"},
			"later":  {"warn 1 retry after: retry after 0s", "info 2 done: "},
			"panic":  {"warn 1 panic: ", "warn 2 panic: "},
		}
		for do, lines := range want {
			if fmt.Sprint(got[do]) != fmt.Sprint(lines) {
				t.Errorf("%q: logged %q, want %q", do, got[do], lines)
			}
		}
	})
}
