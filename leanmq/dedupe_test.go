package leanmq_test

import (
	"errors"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestSecondSendWithAnIDIsADuplicate(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("jobs")
		if id := send(t, q, "first", leanmq.ID("welcome-42")); id != "welcome-42" {
			t.Errorf("the id is %q", id)
		}
		duplicate := func(opts ...leanmq.SendOption) {
			t.Helper()
			id, err := open(t, url).Queue("jobs").Send(t.Context(), []byte("second"), append(opts, leanmq.ID("welcome-42"))...)
			var where *leanmq.Error
			if !errors.Is(err, leanmq.ErrDuplicate) || id != "welcome-42" || !errors.As(err, &where) || where.ID != "welcome-42" {
				t.Errorf("%q, %v", id, err)
			}
		}
		duplicate()
		duplicate(leanmq.Delay(time.Hour))
		duplicate(leanmq.WithHeader("xx", "y"))
		send(t, mq.Queue("other"), "the id is the queue's", leanmq.ID("welcome-42"))
		var got record
		consume(t, q, got.done)
		if m := got.wait(t, 1)[0]; m.ID != "welcome-42" || m.Payload != "first" {
			t.Errorf("%+v", m)
		}
		becomesEmpty(t, q)
		duplicate() // also when the first one is done
		if n := got.count(); n != 1 {
			t.Errorf("%d were handled", n)
		}
	})
}

func TestDedupeWindowIsTheCallers(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		for range 2 {
			send(t, q, "not remembered", leanmq.ID("zero"), leanmq.Dedupe(0))
		}
		send(t, q, "x", leanmq.ID("short"), leanmq.Dedupe(200*time.Millisecond))
		if _, err := q.Send(t.Context(), nil, leanmq.ID("short")); !errors.Is(err, leanmq.ErrDuplicate) {
			t.Errorf("%v", err)
		}
		eventually(t, "the window is over", func() bool {
			_, err := q.Send(t.Context(), nil, leanmq.ID("short"))
			return err == nil
		})
	})
}
