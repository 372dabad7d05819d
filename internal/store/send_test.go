package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

func TestOneOfManySendsWithTheSameIDSucceeds(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var wg sync.WaitGroup
		var accepted atomic.Int64
		for range 4 {
			q := queue(t, open(t, url), "jobs")
			for range 8 {
				wg.Go(func() {
					r := q.SendIf(t.Context(), []store.Envelope{{Payload: []byte("x"), ID: "once"}}, store.SendTerms{Window: time.Minute})[0]
					if r.Err != nil || r.ID != "once" {
						t.Errorf("%+v", r)
					}
					if !r.Dup {
						accepted.Add(1)
					}
				})
			}
		}
		wg.Wait()
		q := queue(t, open(t, url), "jobs")
		if n := len(waiting(t, q)); n != 1 || accepted.Load() != 1 {
			t.Errorf("%d were accepted, %d are there", accepted.Load(), n)
		}
	})
}

func TestDedupeEndsWithItsWindow(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		other := queue(t, s, "other")
		send := func(q *store.Queue) store.SendResult {
			return q.SendIf(t.Context(), []store.Envelope{{Payload: []byte("x"), ID: "once"}}, store.SendTerms{Window: 300 * time.Millisecond})[0]
		}
		if r := send(q); r.Err != nil || r.Dup {
			t.Fatalf("%+v", r)
		}
		if r := send(other); r.Err != nil || r.Dup {
			t.Errorf("in another queue: %+v", r)
		}
		begin := time.Now()
		dups := 0
		eventually(t, "the window ends", func() bool {
			r := send(q)
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			if r.Dup {
				dups++
			}
			return !r.Dup
		})
		if dups == 0 {
			t.Error("the second send was accepted")
		}
		if took := time.Since(begin); took < 200*time.Millisecond {
			t.Errorf("the window ended after %v", took)
		}
		c := rawClient(t, url)
		for _, key := range c.Keys(t.Context(), "*dedupe*").Val() {
			if c.PTTL(t.Context(), key).Val() == -1 { // -2: it is over meanwhile
				t.Errorf("%s lives for ever", key)
			}
		}
	})
}

func TestLimitRefusesAndRemembersNothing(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		send := func(id string, delay time.Duration) store.SendResult {
			return q.SendIf(t.Context(), []store.Envelope{{Payload: []byte("x"), ID: id}},
				store.SendTerms{Limit: 3, Window: time.Minute, Delay: delay, Token: "t-" + id})[0]
		}
		for id, delay := range map[string]time.Duration{"ready": 0, "scheduled": time.Hour} {
			if r := send(id, delay); r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		w := join(t, s, q, "w")
		inFlight := w.mustRead(1)
		if r := send("third", 0); r.Err != nil {
			t.Fatalf("room for one more: %v", r.Err)
		}
		for _, delay := range []time.Duration{0, time.Hour} {
			r := send("fourth", delay)
			if !errors.Is(r.Err, store.ErrFull) || r.ID != "" || !strings.Contains(r.Err.Error(), "3") {
				t.Errorf("%+v", r)
			}
		}
		if i := info(t, q); i.Ready+i.InFlight != 2 || i.Scheduled != 1 {
			t.Errorf("%+v", i)
		}
		w.done(inFlight...)
		if r := send("fourth", 0); r.Err != nil || r.Dup {
			t.Errorf("refused before, and now that there is room: %+v", r)
		}
		if r := send("ready", 0); !r.Dup || r.Err != nil {
			t.Errorf("a duplicate is a duplicate, even of what is done: %+v", r)
		}
	})
}

func TestLimitHoldsAgainstConcurrentSenders(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var wg sync.WaitGroup
		var accepted atomic.Int64
		for range 4 {
			q := queue(t, open(t, url), "jobs")
			wg.Go(func() {
				for _, r := range q.SendIf(t.Context(), make([]store.Envelope, 30), store.SendTerms{Limit: 50}) {
					if r.Err == nil {
						accepted.Add(1)
					}
				}
			})
		}
		wg.Wait()
		if n := len(waiting(t, queue(t, open(t, url), "jobs"))); n != 50 || accepted.Load() != 50 {
			t.Errorf("%d were accepted and %d are there; the limit is 50", accepted.Load(), n)
		}
	})
}

func TestDelayedSendKeepsItsID(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		r := q.SendIf(t.Context(), make([]store.Envelope, 3), store.SendTerms{Due: time.Unix(1, 0), Token: "tok"})
		ids := map[string]bool{}
		for _, x := range r {
			if x.Err != nil {
				t.Fatal(x.Err)
			}
			ids[x.ID] = true
		}
		if len(ids) != 3 {
			t.Fatalf("%v", r)
		}
		if _, err := s.Promote(t.Context(), []*store.Queue{q}, 10); err != nil {
			t.Fatal(err)
		}
		for _, e := range waiting(t, q) {
			if !ids[e.ID] {
				t.Errorf("%q is there, %v were sent", e.ID, ids)
			}
		}
	})
}

// A script must be able to move whatever can be in a stream: one that cannot
// would stop everything behind it.
func TestMessagesWithManyHeadersAreMoved(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		most := store.Envelope{Payload: []byte("x"), ID: "i", TTL: 1 << 40, Target: "/a", ReplyTo: "c@in"}
		for i := range store.MaxHeaders {
			most.Header = append(most.Header, fmt.Sprintf("h%d", i), "v")
		}
		if r := q.SendIf(t.Context(), []store.Envelope{most}, store.SendTerms{Due: time.Unix(1, 0), Token: "t"})[0]; r.Err != nil {
			t.Fatal(r.Err)
		}
		w := join(t, s, q, "w")
		for attempt := range 2 {
			if _, err := s.Promote(t.Context(), []*store.Queue{q}, 10); err != nil {
				t.Fatal(err)
			}
			entry := w.mustRead(1)[0]
			if attempt == 0 {
				w.settle(store.Settlement{Retries: []store.Retry{{ID: entry, Attempts: 1, Error: "e"}}})
				eventually(t, "it is due", func() bool {
					_, err := s.Promote(t.Context(), []*store.Queue{q}, 10)
					return err != nil || info(t, q).Ready == 1
				})
				continue
			}
			w.settle(store.Settlement{Dead: []store.Dead{{ID: entry, Attempts: 2, Error: "e", Reason: "exhausted"}}})
		}
		d := deadLetters(t, q)
		if len(d) != 1 || d[0].Malformed != nil || !slices.Equal(d[0].Header, most.Header) {
			t.Fatalf("%+v", d)
		}
		if n, _, err := q.Requeue(t.Context(), "-", "+", 1); n != 1 || err != nil {
			t.Error(n, err)
		}
	})
}

func TestEntryWithFarTooManyFieldsIsDeadLettered(t *testing.T) {
	server := redistest.Server(t) // only somebody else's program could send it
	s, q := openQueue(t, server.URL())
	args := []any{"XADD", q.Stream, "*", "p", "x"}
	for i := range 9000 {
		args = append(args, fmt.Sprintf("h%d", i), "v")
	}
	if err := rawClient(t, server.URL()).Do(t.Context(), args...).Err(); err != nil {
		t.Fatal(err)
	}
	w := join(t, s, q, "w")
	for round := range 2 {
		es := w.read(1)
		if len(es) != 1 || es[0].Malformed == nil {
			t.Fatalf("%v", es)
		}
		w.settle(store.Settlement{Dead: []store.Dead{{ID: es[0].Entry, Attempts: 1, Reason: "malformed", Error: "e"}}})
		d := deadLetters(t, q)
		if len(d) != 1 || d[0].Reason != "malformed" || d[0].Malformed == nil {
			t.Fatalf("%d: %v", len(d), d)
		}
		if n := len(d[0].Header); n != 2 || len(d[0].Header[1]) < 9000*9 {
			t.Errorf("its fields are not kept: %d headers", n/2)
		}
		if round == 0 { // it does not become a message by being requeued
			if n, _, err := q.Requeue(t.Context(), "-", "+", 1); n != 1 || err != nil {
				t.Error(n, err)
			}
		}
	}
}
