package store_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

// Either it is cancelled or it is delivered.
func TestCancelAgainstPromotion(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		n := some(t, 700)
		for i := range n {
			r := q.SendIf(t.Context(), []store.Envelope{{ID: fmt.Sprint(i)}}, store.SendTerms{Due: due, Token: "t"})[0]
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		var wg sync.WaitGroup
		var cancelled atomic.Int64
		for g := range 2 { // both try each
			wg.Go(func() {
				for i := range n {
					found, err := q.CancelScheduled(t.Context(), fmt.Sprint(n-1-i))
					if err != nil {
						t.Error(g, err)
					}
					if found {
						cancelled.Add(1)
					}
				}
			})
		}
		wg.Go(func() {
			for info(t, q).Scheduled > 0 {
				if _, err := s.Promote(t.Context(), []*store.Queue{q}, 1); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Wait()
		if delivered := int64(len(waiting(t, q))); delivered+cancelled.Load() != int64(n) || cancelled.Load() == 0 {
			t.Errorf("%d were delivered, %d cancelled, of %d", delivered, cancelled.Load(), n)
		}
		if n := rawClient(t, url).Exists(t.Context(), q.Delayed, q.Bodies).Val(); n != 0 {
			t.Errorf("%d keys are left", n)
		}
	})
}

// A token is a message's id if that is free. Nothing is overwritten if it is not.
func TestScheduledMessagesWithTheSameID(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		_, q := openQueue(t, url)
		job(t, q, "job", time.Now().Add(time.Hour))
		ids := []string{"same", "same", "same", "@periodic:job", "t1"}
		for i, id := range ids {
			r := q.SendIf(t.Context(), []store.Envelope{{ID: id, Payload: []byte{byte(i)}}},
				store.SendTerms{Delay: time.Duration(1+i) * time.Hour, Token: fmt.Sprint("t", i)})[0]
			if r.Err != nil || r.ID != id {
				t.Fatalf("%+v", r)
			}
		}
		if es := scheduled(t, q); len(es) != len(ids) {
			t.Fatalf("%d messages, want %d", len(es), len(ids))
		}
		e, err := q.ScheduledMessage(t.Context(), "same")
		if err != nil || e == nil || e.Payload[0] != 0 {
			t.Errorf("%+v, %v", e, err)
		}
		// The token of the second one is t1; that is not its id.
		for _, no := range []string{"t2", "@periodic:job", "none", ""} {
			if e, err := q.ScheduledMessage(t.Context(), no); e != nil || err != nil {
				t.Errorf("%q: %+v, %v", no, e, err)
			}
			if found, err := q.Reschedule(t.Context(), no, due); found || err != nil {
				t.Errorf("%q: %v, %v", no, found, err)
			}
			if found, err := q.CancelScheduled(t.Context(), no); found || err != nil {
				t.Errorf("%q: %v, %v", no, found, err)
			}
		}
		if states, _, err := q.Periodics(t.Context()); err != nil || len(states) != 1 || states[0].Next.IsZero() {
			t.Errorf("%+v, %v", states, err)
		}
		if i := info(t, q); i.Scheduled != 5 {
			t.Errorf("%+v", i)
		}
	})
}

// Many at once: in order, together, and no more than there is room for.
func TestScheduleMany(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		const n, room = 1203, 1100 // more than two calls take
		es := make([]store.Envelope, n)
		for i := range es {
			es[i] = store.Envelope{Payload: fmt.Append(nil, i), Header: []string{"kk", ":"}, TTL: 1 << 40}
		}
		send(t, q, "there before")
		out := q.SendIf(t.Context(), es, store.SendTerms{Due: due, Limit: room + 1, Token: "t"})
		ids := map[string]bool{}
		for i, r := range out {
			if full := errors.Is(r.Err, store.ErrFull); full != (i >= room) || full == (r.ID != "") {
				t.Fatalf("message %d: %+v", i, r)
			}
			ids[r.ID] = true
		}
		if len(ids) != room+1 {
			t.Errorf("%d ids", len(ids))
		}
		if e, err := q.ScheduledMessage(t.Context(), out[700].ID); err != nil || e == nil || string(e.Payload) != "700" {
			t.Errorf("%+v, %v", e, err)
		}
		for range 6 {
			if _, err := s.Promote(t.Context(), []*store.Queue{q}, 200); err != nil {
				t.Fatal(err)
			}
		}
		got := waiting(t, q)[1:]
		if len(got) != room {
			t.Fatalf("%d messages, want %d", len(got), room)
		}
		for i, e := range got {
			if e.Malformed != nil || string(e.Payload) != fmt.Sprint(i) || e.ID != out[i].ID || e.Created < due.UnixMilli() ||
				len(e.Header) != 2 || e.TTL != 1<<40 {
				t.Fatalf("message %d: %+v", i, e)
			}
		}
	})
}
