package store_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

func TestJoin(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		ids := send(t, q, "sent before there was a group")
		w := join(t, s, q, "w")
		if again := join(t, s, q, "w"); again.epoch != w.epoch {
			t.Errorf("joining twice changed the epoch from %s to %s", w.epoch, again.epoch)
		}
		if got := w.mustRead(1); got[0] != ids[0] {
			t.Errorf("read %v, want %v", got, ids)
		}
		if i := info(t, q); i.Consumers != 1 || i.InFlight != 1 {
			t.Errorf("%+v", i)
		}
	})
}

func TestRenewStartsTheLeaseAnewAndIsNoDelivery(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		send(t, q, "a", "b")
		w, other := join(t, s, q, "w"), join(t, s, q, "other")
		ids := w.mustRead(2)
		c := rawClient(t, url)
		const lease = 500 * time.Millisecond
		eventually(t, "the lease has run out", func() bool {
			ps, err := c.XPendingExt(t.Context(), &redis.XPendingExtArgs{
				Stream: q.Stream, Group: "leanmq", Idle: lease, Start: "-", End: "+", Count: 10,
			}).Result()
			return err == nil && len(ps) == 2
		})
		for range 3 {
			if epoch, lost, err := q.Renew(t.Context(), "w", ids[1:]); err != nil || len(lost) != 0 || epoch != w.epoch {
				t.Fatalf("%s, %v, %v", epoch, lost, err)
			}
		}
		es, _, err := q.Reclaim(t.Context(), "other", lease, 10, 0)
		if err != nil || !slices.Equal(entryIDs(es), ids[:1]) {
			t.Errorf("took over %v, %v; the second one was renewed just now", entryIDs(es), err)
		}
		if got := w.owned(c); !maps.Equal(got, map[string]int64{ids[1]: 1}) {
			t.Errorf("after three renewals: deliveries %v", got)
		}
		_ = other
	})
}

func TestReclaimCountsDeliveriesAndBuriesAtTheMost(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		id := send(t, q, "kills its workers")[0]
		first := join(t, s, q, "w1")
		first.mustRead(1)
		for deliveries := 2; deliveries <= 3; deliveries++ {
			w := join(t, s, q, fmt.Sprint("w", deliveries))
			es, buried := w.reclaim(10, 3)
			if len(es) != 1 || buried != 0 || es[0].Deliveries != deliveries || es[0].Attempts != 0 || es[0].Entry != id {
				t.Fatalf("%+v, %d buried", es, buried)
			}
		}
		w := join(t, s, q, "w4")
		if es, buried := w.reclaim(10, 3); len(es) != 0 || buried != 1 {
			t.Fatalf("%+v, %d buried", es, buried)
		}
		i := info(t, q)
		if i.Dead != 1 || i.Ready+i.InFlight+i.Scheduled != 0 {
			t.Errorf("%+v", i)
		}
		d := deadLetters(t, q)[0]
		if d.Reason != "crashed" || d.Attempts != 0 || d.ID != id || string(d.Payload) != "kills its workers" ||
			!strings.Contains(d.Error, "3 times") || !strings.Contains(d.Error, "w3") || d.FirstFailed == 0 {
			t.Errorf("%+v", d)
		}
		if out, err := q.Settle(t.Context(), "w3", &store.Settlement{Done: []store.Done{{Epoch: "0", IDs: []string{id}}}}); err != nil || len(out.Lost) != 1 {
			t.Errorf("its last worker settled it: %+v, %v", out, err)
		}
	})
}

func TestReclaimTakesNoMoreThanAsked(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		send(t, q, make([]string, 10)...)
		gone, w := join(t, s, q, "gone"), join(t, s, q, "w")
		ids := gone.mustRead(10)
		if es, _ := w.reclaim(4, 0); !slices.Equal(entryIDs(es), ids[:4]) {
			t.Errorf("took %v, want the four oldest of %v", entryIDs(es), ids)
		}
		c := rawClient(t, url)
		if n := len(gone.owned(c)); n != 6 {
			t.Errorf("%d are left to the other", n)
		}
		if es, _, err := q.Reclaim(t.Context(), "w", time.Hour, 10, 0); err != nil || len(es) != 0 {
			t.Errorf("with leases that run: %v, %v", es, err)
		}
	})
}

func TestReclaimForgetsWhatWasDeleted(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		send(t, q, "a", "b")
		gone, w := join(t, s, q, "gone"), join(t, s, q, "w")
		ids := gone.mustRead(2)
		c := rawClient(t, url)
		if err := c.XDel(t.Context(), q.Stream, ids[0]).Err(); err != nil {
			t.Fatal(err)
		}
		if es, buried := w.reclaim(10, 1<<20); !slices.Equal(entryIDs(es), ids[1:]) || buried != 0 {
			t.Errorf("%v, %d", entryIDs(es), buried)
		}
		if got := pendingOf(t, c, q, ""); len(got) != 1 {
			t.Errorf("pending: %v", got)
		}
	})
}

func TestReleaseHandsBackWithoutCountingADelivery(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		ids := send(t, q, make([]string, 1100)...) // more than one round of the script
		a, b := join(t, s, q, "a"), join(t, s, q, "b")
		a.mustRead(len(ids))
		if n, err := q.Release(t.Context(), "a"); n != len(ids) || err != nil {
			t.Fatalf("released %d, %v", n, err)
		}
		if n, err := q.Release(t.Context(), "a"); n != 0 || err != nil {
			t.Errorf("released again: %d, %v", n, err)
		}
		c := rawClient(t, url)
		consumers, err := c.XInfoConsumers(t.Context(), q.Stream, "leanmq").Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, consumer := range consumers {
			if consumer.Name == "a" {
				t.Error("the consumer is still part of the group")
			}
		}
		// At once, whatever the lease, and as a first delivery.
		es, buried, err := q.Reclaim(t.Context(), "b", 24*time.Hour, 2000, 1)
		if err != nil || buried != 0 || !slices.Equal(entryIDs(es), ids) {
			t.Fatalf("took %d, buried %d, %v", len(es), buried, err)
		}
		for _, e := range es {
			if e.Deliveries != 1 {
				t.Fatalf("%s has %d deliveries, want 1", e.Entry, e.Deliveries)
			}
		}
		b.done(ids...)
		if i := info(t, q); i.Ready+i.InFlight != 0 || i.Consumers != 1 {
			t.Errorf("only b is there, and nothing else: %+v", i)
		}
	})
}

// A worker that has handed back cannot settle what it handed back, not even
// when it comes again under its old name.
func TestReleasedMessagesAreNotSettledByTheFormerOwner(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		send(t, q, "a")
		w := join(t, s, q, "w")
		ids := w.mustRead(1)
		if _, err := q.Release(t.Context(), "w"); err != nil {
			t.Fatal(err)
		}
		if out := w.done(ids...); !slices.Equal(out.Lost, ids) {
			t.Errorf("%+v", out)
		}
		again := join(t, s, q, "w")
		if out := w.done(ids...); !slices.Equal(out.Lost, ids) {
			t.Errorf("%+v", out)
		}
		if es, _ := again.reclaim(1, 0); !slices.Equal(entryIDs(es), ids) {
			t.Errorf("it is gone: %v", es)
		}
	})
}

func TestReapRemovesOnlyConsumersThatOwnNothing(t *testing.T) {
	server := redistest.Server(t) // miniredis does not tell idle times of consumers
	s, q := openQueue(t, server.URL())
	send(t, q, "a")
	busy, idle := join(t, s, q, "busy"), join(t, s, q, "idle")
	busy.mustRead(1)
	if got := idle.read(1); len(got) != 0 {
		t.Fatal(got)
	}
	if n, err := q.Reap(t.Context(), time.Hour); n != 0 || err != nil {
		t.Errorf("reaped %d that were just seen, %v", n, err)
	}
	eventually(t, "the idle one is reaped", func() bool {
		n, err := q.Reap(t.Context(), time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		return n == 1
	})
	if i := info(t, q); i.Consumers != 1 || i.InFlight != 1 {
		t.Errorf("%+v", i)
	}
	// Whoever was reaped by mistake goes on: it just has to look before it settles.
	send(t, q, "b")
	if out := idle.done(idle.mustRead(1)...); len(out.Lost) != 0 {
		t.Errorf("%+v", out)
	}
}
