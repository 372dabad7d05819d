package store_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

func TestMarksOfCanceledMessagesExpire(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		_, q := openQueue(t, url)
		raw := rawClient(t, url)
		now := time.Now().UnixMilli()
		day := (24 * time.Hour).Milliseconds()
		raw.ZAdd(t.Context(), q.Canceled,
			redis.Z{Score: float64(now - day - 5000), Member: "old"}, redis.Z{Score: float64(now - day/2), Member: "recent"})
		for range 2 { // safe to repeat
			if c, err := q.Cancel(t.Context(), "new"); err != nil || c.Removed {
				t.Fatal(c, err)
			}
		}
		at, all, err := q.Marks(t.Context(), 0)
		if err != nil || all != 2 || at["recent"] != now-day/2 || at["new"] < now-60_000 || len(at) != 2 {
			t.Errorf("%v, %d, %v", at, all, err)
		}
		if at, all, err := q.Marks(t.Context(), at["new"]); err != nil || all != 2 || len(at) != 1 {
			t.Errorf("%v, %d, %v", at, all, err)
		}
		if ttl := raw.PTTL(t.Context(), q.Canceled).Val(); ttl < 23*time.Hour || ttl > 24*time.Hour {
			t.Errorf("the marks expire in %v", ttl)
		}
	})
}

// A result that is canceled is told once and frees what the message held; a
// repetition, as after a lost reply, changes nothing.
func TestFinishingTwiceHasOneEffect(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		w := join(t, s, q, "w")
		es := []store.Envelope{
			{Payload: []byte("1"), ID: "1", OrderKey: "k", KeepResult: 60_000},
			{Payload: []byte("2"), ID: "2", OrderKey: "k"},
			{Payload: []byte("3"), ID: "3", OrderKey: "k"},
		}
		for i, r := range q.SendIf(t.Context(), es, store.SendTerms{Token: "t", Scripted: true}) {
			if r.Err != nil {
				t.Fatal(i, r.Err)
			}
		}
		if _, err := q.Cancel(t.Context(), "1"); err != nil {
			t.Fatal(err)
		}
		entry := w.mustRead(1)[0]
		st := store.Settlement{Finished: []store.Finished{{
			ID: entry, Epoch: w.epoch, MessageID: "1", OrderKey: "k", Keep: time.Minute, Counter: "canceled",
		}}}
		for range 2 {
			if out := w.settle(st); len(out.Lost) != 0 {
				t.Errorf("lost %v", out.Lost)
			}
		}
		r, err := q.ResultOf(t.Context(), "1")
		if err != nil || r == nil || r.Status != "canceled" {
			t.Errorf("%+v, %v", r, err)
		}
		if i := info(t, q); i.Canceled != 1 || i.Blocked != 1 || i.Ready != 1 {
			t.Errorf("%+v, want one canceled, one ready, one blocked", i)
		}
		if _, all, err := q.Marks(t.Context(), 0); all != 0 || err != nil {
			t.Errorf("%d marks are left, %v", all, err)
		}
		// And by one who has lost it: none.
		second := w.mustRead(1)[0]
		other := join(t, s, q, "other")
		other.reclaim(10, 0)
		st.Finished[0] = store.Finished{ID: second, Epoch: w.epoch, MessageID: "2", OrderKey: "k", Counter: "canceled"}
		if out := w.settle(st); len(out.Lost) != 1 {
			t.Errorf("lost %v", out.Lost)
		}
		if i := info(t, q); i.Canceled != 1 || i.Blocked != 1 || i.InFlight != 1 {
			t.Errorf("%+v", i)
		}
	})
}

// The token under which a message waits is its id, but it is the message that counts.
func TestCancelOfAScheduledMessageLooksAtItsID(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		_, q := openQueue(t, url)
		for _, token := range []string{"a", "b"} { // two with the same id
			terms := store.SendTerms{Delay: time.Hour, Token: token, Scripted: true}
			r := q.SendIf(t.Context(), []store.Envelope{{Payload: []byte(token), ID: "twin"}}, terms)
			if r[0].Err != nil || r[0].Dup {
				t.Fatalf("%+v", r[0])
			}
		}
		if n := len(scheduled(t, q)); n != 2 {
			t.Fatalf("%d are scheduled, want both", n)
		}
		if c, err := q.Cancel(t.Context(), "b"); err != nil || c.Removed {
			t.Errorf("nothing is called b: %+v, %v", c, err)
		}
		if c, err := q.Cancel(t.Context(), "twin"); err != nil || !c.Removed {
			t.Errorf("%+v, %v", c, err)
		}
		if left := scheduled(t, q); len(left) != 1 || string(left[0].Payload) != "b" {
			t.Errorf("left: %v", left)
		}
	})
}
