package leanmq_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// Whoever looks into a queue sees all that waits: every level, and what is behind
// others with its ordering key.
func TestWaitingAndBlockedShowEverything(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		want := []string{"urgent", "normal", "a 0", "b 0", "low"}
		send(t, q, "low", leanmq.Priority(leanmq.Low))
		send(t, q, "normal")
		send(t, q, "urgent", leanmq.Priority(leanmq.Urgent))
		var blocked []string
		for _, key := range []string{"a", "b"} {
			for i := range 3 {
				text := fmt.Sprint(key, " ", i)
				if send(t, q, text, leanmq.OrderingKey(key)); i > 0 {
					blocked = append(blocked, text)
				}
			}
		}
		var got []string
		for m, err := range q.Waiting(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(m.Payload))
		}
		if !slices.Equal(got, want) {
			t.Errorf("waiting: %q, want %q", got, want)
		}
		got = nil
		for m, err := range q.Blocked(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if m.ID == "" || m.Attempt != 1 || m.SentAt.IsZero() {
				t.Errorf("%+v", m)
			}
			got = append(got, string(m.Payload))
		}
		if !slices.Equal(got, blocked) {
			t.Errorf("blocked: %q, want %q", got, blocked)
		}
		// Both may be left at any point.
		for range q.Waiting(t.Context()) {
			break
		}
		for range q.Blocked(t.Context()) {
			break
		}
	})
}

func TestBlockedOfABadQueue(t *testing.T) {
	mq := open(t, "mem://")
	for _, list := range []func(context.Context) error{
		func(ctx context.Context) (err error) {
			for _, err = range mq.Queue("a:b:c:d").Blocked(ctx) {
			}
			return err
		},
		func(ctx context.Context) (err error) {
			for _, err = range mq.Queue("a:b:c:d").Waiting(ctx) {
			}
			return err
		},
	} {
		isInvalid(t, list(t.Context()), "queue name")
	}
}

// What is due at the same moment is delivered in the order of one process's sends.
func TestMessagesDueTogetherKeepTheirOrder(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		at := time.Now().Add(200 * time.Millisecond)
		var want []string
		var many [][]byte
		for i := range 15 {
			text := fmt.Sprint("single ", i)
			send(t, q, text, leanmq.At(at))
			want = append(want, text)
			many = append(many, fmt.Append(nil, "many ", i))
		}
		if _, err := q.SendMany(t.Context(), many, leanmq.At(at)); err != nil {
			t.Fatal(err)
		}
		for _, p := range many {
			want = append(want, string(p))
		}
		var r record
		consume(t, q, r.done, leanmq.Concurrency(1))
		r.wait(t, len(want))
		if got := r.payloads(); !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
	})
}
