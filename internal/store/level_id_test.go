package store_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

// sameEntry sends two messages that have the same entry id, as two that arrive in
// the same millisecond have: one on the normal level and one on another.
func sameEntry(t *testing.T, url string) (q *store.Queue, normal, other *worker, entry string) {
	t.Helper()
	s, q := openQueue(t, url)
	if r := q.SendIf(t.Context(), []store.Envelope{{Level: 1}}, store.SendTerms{Scripted: true})[0]; r.Err != nil {
		t.Fatal(r.Err)
	}
	normal, other = join(t, s, q, "w"), join(t, s, q.Level(1), "w")
	other.done(other.mustRead(1)...)
	c := rawClient(t, url)
	const id = "99999999999999-0"
	for _, a := range []redis.XAddArgs{
		{Stream: q.Stream, ID: id, Values: []string{"p", "normal"}},
		{Stream: q.Level(1).Stream, ID: id, Values: []string{"p", "other", "y", "1"}},
	} {
		if err := c.XAdd(t.Context(), &a).Err(); err != nil {
			t.Fatal(err)
		}
	}
	return q, normal, other, id
}

// Both wait for their retries: neither takes the other's place.
func TestRetriesOfTwoLevelsDoNotMeet(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q, normal, other, entry := sameEntry(t, url)
		for _, w := range []*worker{normal, other} {
			w.mustRead(1)
			w.settle(store.Settlement{Retries: []store.Retry{{ID: entry, Delay: time.Hour, Attempts: 1, Error: "boom"}}})
		}
		got := map[string]string{}
		for _, e := range scheduled(t, q) {
			got[string(e.Payload)] = e.ID
		}
		if len(got) != 2 || got["normal"] != entry || got["other"] == entry || got["other"] == "" {
			t.Errorf("ids by payload: %v", got)
		}
	})
}

func TestCancelTellsLevelsApart(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q, _, other, entry := sameEntry(t, url)
		id := waiting(t, q.Level(1))[0].ID
		if c, err := q.Cancel(t.Context(), id); err != nil || !c.Removed || len(waiting(t, q)) != 1 {
			t.Errorf("the other one: %t, %v, %d left on the normal level", c.Removed, err, len(waiting(t, q)))
		}
		if got := other.read(1); len(got) != 0 {
			t.Errorf("delivered after all: %+v", got)
		}
		if c, err := q.Cancel(t.Context(), entry); err != nil || !c.Removed || len(waiting(t, q)) != 0 {
			t.Errorf("the normal one: %t, %v", c.Removed, err)
		}
	})
}

// The id that a send returns is the one with which the message is delivered.
func TestIDOfALevel(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		r := q.SendIf(t.Context(), []store.Envelope{{Level: 2}}, store.SendTerms{Scripted: true})[0]
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		w := join(t, s, q.Level(2), "w")
		for life := range 3 {
			es := w.read(1)
			if len(es) != 1 || es[0].ID != r.ID {
				t.Fatalf("life %d: %+v, want the id %s", life, es, r.ID)
			}
			w.settle(store.Settlement{Retries: []store.Retry{{ID: es[0].Entry, Attempts: life + 1}}})
			eventually(t, "it is due", func() bool {
				if _, err := s.Promote(t.Context(), []*store.Queue{q}, 10); err != nil {
					t.Fatal(err)
				}
				return len(waiting(t, q.Level(2))) == 1
			})
		}
	})
}
