package store_test

import (
	"cmp"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

var tokens atomic.Int64

// sendIn sends a message that has more to it, and returns its id.
func sendIn(t *testing.T, q *store.Queue, e store.Envelope, terms store.SendTerms) string {
	t.Helper()

	terms.Token = fmt.Sprint("token", tokens.Add(1))
	r := q.SendIf(t.Context(), []store.Envelope{e}, terms)[0]
	if r.Err != nil || r.Dup {
		t.Fatalf("%+v", r)
	}
	return r.ID
}

func keyed(payload string) store.Envelope {
	return store.Envelope{Payload: []byte(payload), OrderKey: "k"}
}

func payloads(es []store.Entry) (out []string) {
	for _, e := range es {
		out = append(out, string(e.Payload))
	}
	return out
}

// lane is what waits behind the message with ordering key "k" that goes first.
func lane(t *testing.T, c redis.UniversalClient, q *store.Queue) int64 {
	t.Helper()
	n := c.LLen(t.Context(), q.Lane("k")).Val()
	if blocked := info(t, q).Blocked; blocked != n {
		t.Errorf("%d wait, %d are counted", n, blocked)
	}
	return n
}

// finished is the end of a message.
func finished(w *worker, e store.Entry) store.Settlement {
	return store.Settlement{Finished: []store.Finished{{
		ID: e.Entry, Epoch: w.epoch, MessageID: cmp.Or(e.ID, e.Entry), OrderKey: e.OrderKey, UniqueKey: e.UniqueKey,
		Keep: time.Duration(e.KeepResult) * time.Millisecond, Result: "result", Counter: "counted",
	}}}
}

// Each way to settle the message that goes first, called twice, as after a lost
// reply: the next one goes on, and only that one.
func TestSettlingTwiceAdvancesALaneOnce(t *testing.T) {
	ways := map[string]func(w *worker, e store.Entry) store.Settlement{
		"finish": finished,
		"dead": func(w *worker, e store.Entry) store.Settlement {
			return store.Settlement{Dead: []store.Dead{{ID: e.Entry, Epoch: w.epoch, Reason: "rejected", Attempts: 1}}}
		},
	}
	for name, settlement := range ways {
		t.Run(name, func(t *testing.T) {
			redistest.ForEachStore(t, func(t *testing.T, url string) {
				s, q := openQueue(t, url)
				c := rawClient(t, url)
				for _, p := range []string{"1", "2", "3"} {
					sendIn(t, q, keyed(p), store.SendTerms{})
				}
				w := join(t, s, q, "w")
				got := w.read(10)
				if !slices.Equal(payloads(got), []string{"1"}) || lane(t, c, q) != 2 {
					t.Fatalf("read %v", payloads(got))
				}
				st := settlement(w, got[0])
				w.settle(st)
				w.settle(st)
				if n := lane(t, c, q); n != 1 {
					t.Errorf("%d wait, want 1", n)
				}
				next := w.read(10)
				if !slices.Equal(payloads(next), []string{"2"}) {
					t.Fatalf("then %v", payloads(next))
				}
				w.settle(st) // and once more, late
				if n := lane(t, c, q); n != 1 {
					t.Errorf("%d wait, want 1", n)
				}
				w.settle(settlement(w, next[0]))
				w.settle(settlement(w, w.read(10)[0]))
				if n := c.Exists(t.Context(), q.Order, q.Lane("k")).Val(); n != 0 {
					t.Error("the key is still taken")
				}
				if name == "finish" {
					if n := c.HGet(t.Context(), q.Meta, "counted").Val(); n != "3" {
						t.Errorf("counted %s", n)
					}
				}
			})
		})
	}
}

// A worker that lost the message has no say in its lane, nor about its keys.
func TestStaleWorkerEndsNothing(t *testing.T) {
	ways := map[string]func(w *worker, e store.Entry) store.Settlement{
		"finish": finished,
		"finish with an epoch that never was": func(w *worker, e store.Entry) store.Settlement {
			st := finished(w, e)
			st.Finished[0].Epoch = ""
			return st
		},
		"dead": func(w *worker, e store.Entry) store.Settlement {
			return store.Settlement{Dead: []store.Dead{{ID: e.Entry, Epoch: w.epoch, Reason: "rejected", Attempts: 1}}}
		},
		"retry": func(w *worker, e store.Entry) store.Settlement {
			return store.Settlement{Retries: []store.Retry{{ID: e.Entry, Epoch: w.epoch, Attempts: 1}}}
		},
	}
	for name, settlement := range ways {
		t.Run(name, func(t *testing.T) {
			redistest.ForEachStore(t, func(t *testing.T, url string) {
				s, q := openQueue(t, url)
				c := rawClient(t, url)
				first := keyed("1")
				first.UniqueKey, first.KeepResult = "u", 60_000
				id := sendIn(t, q, first, store.SendTerms{})
				sendIn(t, q, keyed("2"), store.SendTerms{})
				stale, owner := join(t, s, q, "stale"), join(t, s, q, "owner")
				e := stale.read(1)[0]
				if es, _ := owner.reclaim(1, 0); len(es) != 1 {
					t.Fatal("not taken over")
				}
				if out := stale.settle(settlement(stale, e)); !slices.Equal(out.Lost, []string{e.Entry}) {
					t.Errorf("%+v", out)
				}
				if lane(t, c, q) != 1 || c.HGet(t.Context(), q.Unique, "u").Val() != id {
					t.Error("its say counted")
				}
				if r, err := q.ResultOf(t.Context(), id); r != nil || err != nil {
					t.Errorf("%+v, %v", r, err)
				}
				owner.settle(finished(owner, e))
				if lane(t, c, q) != 0 || c.HExists(t.Context(), q.Unique, "u").Val() {
					t.Error("the owner's say did not count")
				}
				if r, err := q.ResultOf(t.Context(), id); err != nil || r == nil || string(r.Value) != "result" {
					t.Errorf("%+v, %v", r, err)
				}
			})
		})
	}
}

// A message that is delivered too often is dead, and the next one goes on.
func TestCrashedMessageLetsTheNextOneGoOn(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		first := keyed("1")
		first.UniqueKey = "u"
		sendIn(t, q, first, store.SendTerms{})
		sendIn(t, q, keyed("2"), store.SendTerms{})
		a, b := join(t, s, q, "a"), join(t, s, q, "b")
		a.mustRead(1)
		if es, buried := b.reclaim(10, 1); len(es) != 0 || buried != 1 {
			t.Fatalf("%v, %d", es, buried)
		}
		if got := payloads(b.read(10)); !slices.Equal(got, []string{"2"}) {
			t.Errorf("%v", got)
		}
		if rawClient(t, url).HExists(t.Context(), q.Unique, "u").Val() {
			t.Error("its unique key is taken")
		}
	})
}

// A retry keeps its place while it waits, and when it is moved twice.
func TestRetryHoldsItsLane(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		c := rawClient(t, url)
		for _, p := range []string{"1", "2"} {
			sendIn(t, q, keyed(p), store.SendTerms{})
		}
		w := join(t, s, q, "w")
		for attempt := 1; attempt < 4; attempt++ {
			e := w.read(10)
			if !slices.Equal(payloads(e), []string{"1"}) {
				t.Fatalf("%v", payloads(e))
			}
			st := store.Settlement{Retries: []store.Retry{{ID: e[0].Entry, Epoch: w.epoch, Attempts: attempt}}}
			w.settle(st)
			w.settle(st) // lost reply
			sendIn(t, q, keyed("x"), store.SendTerms{})
			for range 2 {
				if _, err := s.Promote(t.Context(), []*store.Queue{q}, 10); err != nil {
					t.Fatal(err)
				}
			}
			if n := lane(t, c, q); n != int64(1+attempt) {
				t.Errorf("%d wait", n)
			}
		}
	})
}

func TestRequeueTwiceSendsOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		c := rawClient(t, url)
		e := keyed("1")
		e.UniqueKey = "u"
		id := sendIn(t, q, e, store.SendTerms{})
		w := join(t, s, q, "w")
		w.settle(store.Settlement{Dead: []store.Dead{{ID: w.mustRead(1)[0], Reason: "rejected", Attempts: 1}}})
		sendIn(t, q, keyed("2"), store.SendTerms{})
		letter := deadLetters(t, q)[0].Entry
		for i := range 2 {
			if n, _, err := q.Requeue(t.Context(), letter, letter, 1); n != 1-i || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		}
		if lane(t, c, q) != 1 || c.HGet(t.Context(), q.Unique, "u").Val() != id {
			t.Error("it is not once behind the other one, with its key")
		}
		w.settle(finished(w, w.read(10)[0]))
		got := w.read(10)
		if !slices.Equal(payloads(got), []string{"1"}) || got[0].ID != id || got[0].Attempts != 0 {
			t.Errorf("%+v", got)
		}
	})
}

// Removing twice lets one go on; what was parked keeps no result.
func TestRemoveAdvancesOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		_, q := openQueue(t, url)
		for _, p := range []string{"1", "2", "3"} {
			e := keyed(p)
			e.KeepResult = 60_000
			sendIn(t, q, e, store.SendTerms{})
		}
		first := waiting(t, q)[0]
		for range 2 {
			if err := q.Remove(t.Context(), first.Entry); err != nil {
				t.Fatal(err)
			}
		}
		if got := payloads(waiting(t, q)); !slices.Equal(got, []string{"2"}) {
			t.Errorf("%v", got)
		}
		if r, err := q.ResultOf(t.Context(), first.ID); r != nil || err != nil {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// Entries of two levels may have the same id: their retries, ids and dead letters
// are those of two messages.
func TestEntriesOfTwoLevelsWithOneID(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		c := rawClient(t, url)
		high := q.Level(2)
		sendIn(t, q, store.Envelope{Payload: []byte("known"), Level: 2}, store.SendTerms{})
		ids := map[string]bool{}
		var entries [2]string
		for i, l := range []*store.Queue{q, high} {
			fields := []any{"p", fmt.Sprint(i), "i", fmt.Sprint("message", i)}
			if i > 0 {
				fields = append(fields, "y", "2")
			}
			id, err := c.XAdd(t.Context(), &redis.XAddArgs{Stream: l.Stream, ID: "9000000000000-7", Values: fields}).Result()
			if err != nil {
				t.Fatal(err)
			}
			entries[i] = id
		}
		for i, l := range []*store.Queue{q, high} {
			w := join(t, s, l, "w")
			w.read(10)
			w.settle(store.Settlement{Retries: []store.Retry{{ID: entries[i], Attempts: 1, Delay: time.Hour}}})
		}
		for _, e := range scheduled(t, q) {
			ids[e.ID] = true
		}
		if len(ids) != 2 {
			t.Errorf("scheduled: %v", ids)
		}
	})
}

// A message of a level has an id of its own, not that of its entry.
func TestMessagesOfLevelsHaveIDsOfTheirOwn(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		_, q := openQueue(t, url)
		id := sendIn(t, q, store.Envelope{Payload: []byte("x"), Level: 1}, store.SendTerms{})
		if store.IsEntryID(id) {
			t.Errorf("%s is one that a message of another level may have", id)
		}
		if e := waiting(t, q.Level(1)); len(e) != 1 || e[0].ID != id {
			t.Errorf("%+v", e)
		}
	})
}
