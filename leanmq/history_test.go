package leanmq_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestHistoryOfFailures(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		var before []int // how many each attempt saw
		var at []time.Time
		c := consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			h := m.History()
			before = append(before, len(h))
			at = append(at, time.Now())
			if len(h) > 0 && h[len(h)-1].Error != m.LastError {
				t.Errorf("attempt %d: the last error is %q, and %q in the history", m.Attempt, m.LastError, h[len(h)-1].Error)
			}
			return fmt.Errorf("no. %d", m.Attempt)
		}, leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 8, Backoff: leanmq.FixedBackoff(0)}))
		send(t, q, "x")
		d := oneDead(t, q)
		if err := c.Stop(); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(before); got != "[0 1 2 3 4 5 5 5]" {
			t.Errorf("the attempts remembered %s", got)
		}
		h := d.Message.History()
		if len(h) != leanmq.MaxHistory {
			t.Fatalf("%+v", h)
		}
		for i, a := range h {
			attempt := 8 - len(h) + 1 + i
			begin := at[attempt-1].Truncate(time.Millisecond)
			if a.Error != fmt.Sprintf("no. %d", attempt) || a.Worker == "" || a.At.Before(begin) || a.At.After(begin.Add(5*time.Second)) {
				t.Errorf("attempt %d, begun at %v: %+v", attempt, begin, a)
			}
		}
		if !h[4].At.Equal(d.LastFailed) {
			t.Errorf("the last one failed %v, it died %v", h[4].At, d.LastFailed)
		}

		if _, err := q.RequeueAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := make(chan []leanmq.Attempt, 1)
		consume(t, q, func(_ context.Context, m *leanmq.Message) error { got <- m.History(); return nil })
		if h := receive(t, "the new life", got); h != nil {
			t.Errorf("it remembers its last one: %+v", h)
		}
	})
}

func TestHistoryTellsWhichWorkerFailed(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		a, b := newPuller(t, q, quick), newPuller(t, q, quick)
		send(t, q, "x")
		for _, p := range []*leanmq.Puller{a, b, a} {
			if err := pull(t, p, 1)[0].Retry(t.Context(), fmt.Errorf("bo%sm", strings.Repeat("o", 400))); err != nil {
				t.Fatal(err)
			}
		}
		h := oneDead(t, q)
		attempts := h.Message.History()
		if len(attempts) != 3 || attempts[0].Worker == attempts[1].Worker || attempts[0].Worker != attempts[2].Worker || len(attempts[0].Error) != 256 {
			t.Errorf("%+v", attempts)
		}
		if len(h.Error) != 403 {
			t.Errorf("the last error has %d bytes", len(h.Error))
		}
	})
}
