package store_test

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

// bury sends n messages and dead-letters them.
func bury(t *testing.T, s *store.Store, q *store.Queue, n int) (letters []string) {
	t.Helper()
	payloads := make([]string, n)
	for i := range payloads {
		payloads[i] = fmt.Sprintf("0 %d", i)
	}
	send(t, q, payloads...)
	w := join(t, s, q, "undertaker")
	var st store.Settlement
	for _, id := range w.mustRead(n) {
		st.Dead = append(st.Dead, store.Dead{ID: id, Reason: "rejected", Attempts: 2, Error: "boom"})
	}
	w.settle(st)
	letters = entryIDs(deadLetters(t, q))
	if len(letters) != n {
		t.Fatalf("%d dead letters, want %d", len(letters), n)
	}
	return letters
}

func TestRequeueOfTheSameLettersByManyMovesEachOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		const n = 120
		letters := bury(t, s, q, n)
		var moved atomic.Int64
		var wg sync.WaitGroup
		for g := range 6 {
			other := queue(t, open(t, url), "jobs")
			wg.Go(func() {
				if g%2 == 0 {
					ok, err := other.RequeueEach(t.Context(), letters)
					if err != nil {
						t.Error(err)
					}
					for _, m := range ok {
						if m {
							moved.Add(1)
						}
					}
					return
				}
				for {
					m, _, err := other.Requeue(t.Context(), "-", letters[n-1], 7)
					if err != nil {
						t.Error(err)
					}
					if m == 0 {
						return
					}
					moved.Add(int64(m))
				}
			})
		}
		wg.Wait()
		if moved.Load() != n {
			t.Errorf("%d moves were reported for %d letters", moved.Load(), n)
		}
		seen := map[string]bool{}
		for _, e := range waiting(t, q) {
			if seen[string(e.Payload)] {
				t.Errorf("%s is there twice", e.Payload)
			}
			seen[string(e.Payload)] = true
		}
		if i := info(t, q); len(seen) != n || i.Dead != 0 {
			t.Errorf("%d of %d are there; %+v", len(seen), n, i)
		}
	})
}

func TestRequeueIsANewLife(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		sent := store.Envelope{Payload: []byte("x"), TTL: 60_000, Target: "/a", ReplyTo: "c@in", Header: []string{"hh", "v"}}
		id, err := q.Send(t.Context(), &sent)
		if err != nil {
			t.Fatal(err)
		}
		w := join(t, s, q, "w")
		w.mustRead(1)
		w.settle(store.Settlement{Dead: []store.Dead{{ID: id, Reason: "rejected", Attempts: 2, Error: "boom"}}})
		letter := deadLetters(t, q)[0].Entry
		n, upTo, err := q.Requeue(t.Context(), letter, letter, 1)
		if n != 1 || upTo != letter || err != nil {
			t.Fatal(n, upTo, err)
		}
		got := waiting(t, q)[0].Envelope
		want := store.Envelope{ID: id, Payload: []byte("x"), TTL: 60_000, Target: "/a", Header: []string{"hh", "v"}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
}

func TestRequeueKeepsTheOrderAndTheBounds(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		letters := bury(t, s, q, 5)
		if n, upTo, err := q.Requeue(t.Context(), "-", letters[3], 2); n != 2 || upTo != letters[1] || err != nil {
			t.Errorf("%d up to %s, %v", n, upTo, err)
		}
		if n, upTo, err := q.Requeue(t.Context(), "-", letters[3], 10); n != 2 || upTo != letters[3] || err != nil {
			t.Errorf("%d up to %s, %v", n, upTo, err)
		}
		if n, upTo, err := q.Requeue(t.Context(), "-", letters[3], 10); n != 0 || upTo != "" || err != nil {
			t.Errorf("%d up to %s, %v", n, upTo, err)
		}
		checkOrder(t, q, 1, 4)
		if got := entryIDs(deadLetters(t, q)); !slices.Equal(got, letters[4:]) {
			t.Errorf("left are %v, want %v", got, letters[4:])
		}
	})
}

// One that cannot be sent does not make those before it come twice.
func TestRequeueThatFailsHalfWayHasMovedWhatWasBefore(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		letters := bury(t, s, q, 2)
		rdb := rawClient(t, url)
		obstacle := q.Stream + ":p1"
		if err := rdb.Set(t.Context(), obstacle, "no stream", 0).Err(); err != nil {
			t.Fatal(err)
		}
		for _, fields := range [][]any{{"p", "urgent", "i", "x", "y", "1"}, {"p", "0 2", "i", "y"}} {
			if err := rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: q.Dead, Values: fields}).Err(); err != nil {
				t.Fatal(err)
			}
		}
		letters = append(letters, entryIDs(deadLetters(t, q))[2:]...)
		if _, _, err := q.Requeue(t.Context(), "-", "+", 10); err == nil {
			t.Error("no error")
		}
		if got := entryIDs(deadLetters(t, q)); !slices.Equal(got, letters[2:]) {
			t.Errorf("left are %v, want %v", got, letters[2:])
		}
		if got := waiting(t, q); len(got) != 2 {
			t.Errorf("%d are there, want 2", len(got))
		}
		if err := rdb.Del(t.Context(), obstacle).Err(); err != nil {
			t.Fatal(err)
		}
		if n, _, err := q.Requeue(t.Context(), "-", "+", 10); n != 2 || err != nil {
			t.Error(n, err)
		}
		checkOrder(t, q, 1, 3)
	})
}
