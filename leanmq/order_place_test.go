package leanmq_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestRetryKeepsItsPlaceInOrder(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		var got record
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			got.add(m)
			if string(m.Payload) == "1" && m.Attempt < 3 {
				return leanmq.RetryAfter(100*time.Millisecond, nil)
			}
			return nil
		})
		send(t, q, "1", leanmq.OrderingKey("k"))
		send(t, q, "2", leanmq.OrderingKey("k"))
		send(t, q, "other", leanmq.OrderingKey("another key"))
		got.wait(t, 5)
		if p := got.payloads(); !slices.Equal(slices.DeleteFunc(p, func(s string) bool { return s == "other" }), []string{"1", "1", "1", "2"}) {
			t.Errorf("%v", p)
		}
		if p := got.payloads(); slices.Index(p, "other") > 2 {
			t.Errorf("%v: the other key had to wait", p)
		}
		becomesEmpty(t, q)
	})
}

func TestOtherKeysAndMessagesWithoutOneDoNotWait(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		hold := make(chan struct{})
		defer close(hold)
		var got record
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			if string(m.Payload) == "hold" {
				<-hold
			}
			got.add(m)
			return nil
		})
		send(t, q, "hold", leanmq.OrderingKey("a"))
		send(t, q, "behind", leanmq.OrderingKey("a"))
		send(t, q, "b", leanmq.OrderingKey("b"))
		send(t, q, "without")
		for _, m := range got.wait(t, 2) {
			if m.Payload == "behind" {
				t.Error("it ran beside the one before it")
			}
		}
	})
}

// A delayed message takes its place when it is due; until then it keeps nobody
// waiting.
func TestDelayedMessageTakesItsPlaceWhenItIsDue(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		hold := make(chan struct{})
		var got record
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			got.add(m)
			if string(m.Payload) == "2" {
				<-hold
			}
			return nil
		})
		send(t, q, "later", leanmq.OrderingKey("k"), leanmq.Delay(300*time.Millisecond))
		send(t, q, "1", leanmq.OrderingKey("k"))
		send(t, q, "2", leanmq.OrderingKey("k"))
		got.wait(t, 2)
		eventually(t, "it is due, and blocked", func() bool { i := info(t, q); return i.Blocked == 1 && i.Scheduled == 0 })
		send(t, q, "last", leanmq.OrderingKey("k"))
		close(hold)
		got.wait(t, 4)
		if p := got.payloads(); !slices.Equal(p, []string{"1", "2", "later", "last"}) {
			t.Errorf("%v", p)
		}
		becomesEmpty(t, q)
	})
}

func TestRequeuedMessageGoesToTheEndOfItsOrder(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		send(t, q, "1", leanmq.OrderingKey("k"))
		c := consume(t, q, func(context.Context, *leanmq.Message) error { return leanmq.Reject(nil) })
		letter := oneDead(t, q)
		if err := c.Stop(); err != nil {
			t.Fatal(err)
		}
		send(t, q, "2", leanmq.OrderingKey("k"))
		send(t, q, "3", leanmq.OrderingKey("k"))
		if n, err := q.Requeue(t.Context(), letter.Letter); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if i := info(t, q); i.Blocked != 2 || i.Dead != 0 {
			t.Errorf("%+v", i)
		}
		var got record
		consume(t, q, got.done)
		becomesEmpty(t, q)
		if p := got.payloads(); !slices.Equal(p, []string{"2", "3", "1"}) {
			t.Errorf("%v", p)
		}
	})
}
