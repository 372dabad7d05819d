package store_test

import (
	"slices"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

// expired is what a worker says of messages whose time is up.
func expired(w *worker, ids []string) (st store.Settlement) {
	for _, id := range ids {
		st.Finished = append(st.Finished, store.Finished{ID: id, Epoch: w.epoch, MessageID: id, Counter: store.CounterExpired})
	}
	return st
}

func TestExpiredIsDoneAndCountedOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		send(t, q, make([]string, 1203)...) // more than two scripts
		w := join(t, s, q, "w")
		ids := w.mustRead(1203)
		st := expired(w, ids[:1202])
		if out := w.settle(st); len(out.Lost) != 0 || out.Epoch != w.epoch {
			t.Errorf("%+v", out)
		}
		if i := info(t, q); i.Expired != 1202 || i.InFlight != 1 || i.Ready+i.Scheduled+i.Dead != 0 {
			t.Errorf("%+v", i)
		}
		w.settle(st) // as after a lost reply
		if i := info(t, q); i.Expired != 1202 {
			t.Errorf("repeated: %+v", i)
		}
		dead := store.Settlement{Dead: []store.Dead{{ID: ids[1202], Reason: "expired"}}}
		w.settle(dead)
		w.settle(dead)
		if i := info(t, q); i.Expired != 1203 || i.InFlight+i.Ready+i.Scheduled != 0 || i.Dead != 1 {
			t.Errorf("%+v", i)
		}
		if _, err := q.Delete(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if i := info(t, q); i != (store.Info{}) {
			t.Errorf("deleted: %+v", i)
		}
	})
}

func TestExpiredIsRefusedFromAWorkerThatLostIt(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		send(t, q, "a", "b")
		w, other := join(t, s, q, "w"), join(t, s, q, "other")
		ids := w.mustRead(2)
		other.reclaim(1, 0)
		if out := w.settle(expired(w, ids)); !slices.Equal(out.Lost, ids[:1]) {
			t.Errorf("%+v, want %v to be lost", out, ids[:1])
		}
		if i := info(t, q); i.Expired != 1 || i.InFlight != 1 {
			t.Errorf("%+v", i)
		}
	})
}
