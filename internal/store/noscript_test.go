package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

// A server that has lost the scripts, in the middle of each kind of move.
func TestEachMoveSurvivesAScriptFlush(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		c := rawClient(t, url)
		flush := func() {
			if err := c.ScriptFlush(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		}
		flush()
		w := join(t, s, q, "w")
		message := func(payload string) store.Envelope {
			return store.Envelope{Payload: []byte(payload), OrderKey: "k", UniqueKey: payload, Level: 0, KeepResult: 60_000}
		}
		var many []store.Envelope
		for i := range 6 {
			many = append(many, message(fmt.Sprint(i)))
		}
		flush()
		for i, r := range q.SendIf(t.Context(), many, store.SendTerms{Token: "many"}) {
			if r.Err != nil || r.Dup {
				t.Fatalf("%d: %+v", i, r)
			}
		}
		next := func(want string) store.Entry {
			t.Helper()
			flush()
			var got []store.Entry
			_, err := s.Take(t.Context(), "w", []*store.Queue{q}, store.Wanted{Most: 10, UpTo: []int{10}}, func(_ int, e store.Entry) { got = append(got, e) })
			if err != nil || !slices.Equal(payloads(got), []string{want}) {
				t.Fatalf("took %v, %v, want %s", payloads(got), err, want)
			}
			return got[0]
		}
		promote := func() {
			flush()
			if _, err := s.Promote(t.Context(), []*store.Queue{q}, 10); err != nil {
				t.Fatal(err)
			}
		}
		e := next("0")
		flush()
		w.settle(finished(w, e))

		flush()
		w.settle(store.Settlement{Retries: []store.Retry{{ID: next("1").Entry, Attempts: 1}}})
		promote()
		e = next("1")
		flush()
		w.settle(store.Settlement{Dead: []store.Dead{{ID: e.Entry, Reason: "rejected", Attempts: 2}}})

		e = next("2")
		flush()
		if _, lost, err := q.Renew(t.Context(), "w", []string{e.Entry}); err != nil || len(lost) != 0 {
			t.Fatal(lost, err)
		}
		flush()
		if n, err := q.HandBack(t.Context(), "w", []string{e.Entry}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		flush()
		if es, _ := w.reclaim(1, 0); !slices.Equal(payloads(es), []string{"2"}) {
			t.Fatal(payloads(es))
		}
		flush()
		if out := w.settle(finished(w, e)); len(out.Lost) != 0 {
			t.Fatal(out)
		}

		letter := deadLetters(t, q)[0].Entry
		flush()
		if n, _, err := q.Requeue(t.Context(), letter, letter, 1); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		flush()
		e = waiting(t, q)[0]
		if err := q.Remove(t.Context(), e.Entry); err != nil || string(e.Payload) != "3" {
			t.Fatal(err, string(e.Payload))
		}
		flush()
		if err := q.SetLimits(t.Context(), store.Limits{Running: 5}); err != nil {
			t.Fatal(err)
		}
		// All kinds of settlement in one round trip.
		e = next("4")
		other := sendIn(t, q, store.Envelope{Payload: []byte("other")}, store.SendTerms{Scripted: true})
		third := sendIn(t, q, store.Envelope{Payload: []byte("third")}, store.SendTerms{Scripted: true})
		fourth := sendIn(t, q, store.Envelope{Payload: []byte("fourth")}, store.SendTerms{Scripted: true})
		w.mustRead(3)
		st := finished(w, e)
		st.Done = []store.Done{{Epoch: w.epoch, IDs: []string{other}}}
		st.Retries = []store.Retry{{ID: third, Attempts: 1, Delay: time.Hour}}
		st.Dead = []store.Dead{{ID: fourth, Attempts: 1, Reason: "rejected"}}
		flush()
		if out := w.settle(st); len(out.Lost) != 0 {
			t.Errorf("%+v", out)
		}
		w.settle(finished(w, next("5")))
		w.settle(finished(w, next("1"))) // requeued
		if i := info(t, q); i.Ready+i.InFlight+i.Blocked != 0 || i.Scheduled != 1 || i.Dead != 1 {
			t.Errorf("%+v", i)
		}
		flush()
		if _, err := q.Release(t.Context(), "w"); err != nil {
			t.Fatal(err)
		}
		flush()
		if left, err := q.Delete(t.Context(), true); left != 0 || err != nil {
			t.Fatal(left, err)
		}
		if keys := c.Keys(t.Context(), "leanmq:{jobs}:jobs").Val(); len(keys) != 0 {
			t.Errorf("left: %v", keys)
		}
	})
}

// Messages that need different scripts stay in order where the server knows none.
func TestSendIfKeepsItsOrderWithoutScripts(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		_, q := openQueue(t, url)
		if err := rawClient(t, url).ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		first, urgent, third := keyed("first"), keyed("urgent"), keyed("third")
		urgent.Level = 1
		for i, r := range q.SendIf(t.Context(), []store.Envelope{first, urgent, third}, store.SendTerms{Token: "t", Scripted: true}) {
			if r.Err != nil {
				t.Fatal(i, r.Err)
			}
		}
		lane, err := q.Blocked(t.Context(), "k", 0, 10)
		if err != nil || !slices.Equal(payloads(lane), []string{"urgent", "third"}) {
			t.Errorf("in the lane: %v, %v", payloads(lane), err)
		}
	})
}
