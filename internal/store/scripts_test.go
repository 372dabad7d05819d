package store_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

// group of tests a script; each runs against both stores.

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

// A consumer that comes again must not be taken for the one before: messages
// of the former could be settled under an epoch of the latter.
func TestEveryLifeOfAConsumerHasAnEpochOfItsOwn(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		seen := map[string]bool{}
		for range 5 {
			w := join(t, s, q, "w")
			if w.epoch == "" || seen[w.epoch] {
				t.Errorf("the epoch %q came twice", w.epoch)
			}
			seen[w.epoch] = true
			if _, err := q.Release(t.Context(), "w"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestDoneDeletes(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		send(t, q, "a", "b", "c")
		w := join(t, s, q, "w")
		ids := w.mustRead(3)
		out := w.done(ids[0], ids[2])
		if out.Epoch != w.epoch || len(out.Lost) != 0 {
			t.Errorf("%+v", out)
		}
		if got := entryIDs(waiting(t, q)); !slices.Equal(got, ids[1:2]) {
			t.Errorf("%v is left, want %v", got, ids[1:2])
		}
		w.done(ids[0], ids[2]) // as after a lost reply
		w.done(ids[1])
		if i := info(t, q); i.Ready+i.InFlight+i.Scheduled+i.Dead != 0 {
			t.Errorf("%+v", i)
		}
	})
}

func TestDoneOfMoreThanOneScriptTakes(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		payloads := make([]string, 1201)
		send(t, q, payloads...)
		w := join(t, s, q, "w")
		if out := w.done(w.mustRead(len(payloads))...); len(out.Lost) != 0 {
			t.Errorf("lost %d", len(out.Lost))
		}
		if i := info(t, q); i.Ready+i.InFlight != 0 {
			t.Errorf("%+v", i)
		}
	})
}

// takenOver is the situation after a takeover: stale read four messages and
// taker has the first two now.
func takenOver(t *testing.T, url string) (stale, taker *worker, ids []string, c *redis.Client) {
	t.Helper()
	s, q := openQueue(t, url)
	send(t, q, "a", "b", "c", "d")
	stale, taker = join(t, s, q, "stale"), join(t, s, q, "taker")
	ids = stale.mustRead(4)
	es, buried := taker.reclaim(2, 0)
	if got := entryIDs(es); buried != 0 || !slices.Equal(got, ids[:2]) {
		t.Fatalf("reclaimed %v and buried %d, want %v", got, buried, ids[:2])
	}
	return stale, taker, ids, rawClient(t, url)
}

// untouched checks that the taker still owns what it took, and that nothing
// of it got anywhere else.
func untouched(t *testing.T, taker *worker, ids []string, c *redis.Client) {
	t.Helper()
	want := map[string]int64{ids[0]: 2, ids[1]: 2}
	if got := taker.owned(c); !maps.Equal(got, want) {
		t.Errorf("the taker owns %v, want %v", got, want)
	}
	if i := info(t, taker.q); i.Scheduled != 0 || i.Dead != 0 {
		t.Errorf("%+v", i)
	}
	if out := taker.done(ids[:2]...); len(out.Lost) != 0 {
		t.Errorf("the taker lost %v", out.Lost)
	}
}

func TestStaleWorkerSettlesOnlyWhatItStillOwns(t *testing.T) {
	for _, tt := range []struct {
		name   string
		settle func(w *worker, ids []string) store.Settled
	}{
		{"done", func(w *worker, ids []string) store.Settled { return w.done(ids...) }},
		{"retry", func(w *worker, ids []string) store.Settled {
			var st store.Settlement
			for _, id := range ids {
				st.Retries = append(st.Retries, store.Retry{ID: id, Attempts: 1, Error: "stale", Delay: time.Hour})
			}
			return w.settle(st)
		}},
		{"dead", func(w *worker, ids []string) store.Settled {
			var st store.Settlement
			for _, id := range ids {
				st.Dead = append(st.Dead, store.Dead{ID: id, Attempts: 1, Error: "stale", Reason: "rejected"})
			}
			return w.settle(st)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			redistest.ForEachStore(t, func(t *testing.T, url string) {
				stale, taker, ids, c := takenOver(t, url)
				if out := tt.settle(stale, ids[:2]); !slices.Equal(out.Lost, ids[:2]) || out.Epoch == stale.epoch {
					t.Errorf("%+v, want %v lost and an epoch other than %s", out, ids[:2], stale.epoch)
				}
				untouched(t, taker, ids, c)
				// What it kept is its own to settle, with the old epoch.
				if out := tt.settle(stale, ids[2:]); len(out.Lost) != 0 {
					t.Errorf("lost %v", out.Lost)
				}
				i := info(t, stale.q)
				if i.Ready+i.InFlight != 0 || i.Scheduled+i.Dead != map[string]int64{"done": 0, "retry": 2, "dead": 2}[tt.name] {
					t.Errorf("%+v", i)
				}
			})
		})
	}
}

func TestDoneMixesLostAndOwned(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		stale, taker, ids, c := takenOver(t, url)
		out := stale.done(ids[2], ids[0], ids[3], ids[1])
		if !slices.Equal(out.Lost, []string{ids[0], ids[1]}) {
			t.Errorf("lost %v, want %v", out.Lost, ids[:2])
		}
		if got := entryIDs(waiting(t, stale.q)); !slices.Equal(got, ids[:2]) {
			t.Errorf("left are %v, want %v", got, ids[:2])
		}
		untouched(t, taker, ids, c)
	})
}

// The epoch of a settlement counts again once the worker has learned which
// messages it lost.
func TestNewEpochFencesTheNextTakeover(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		stale, taker, ids, _ := takenOver(t, url)
		epoch, lost, err := stale.q.Renew(t.Context(), stale.name, ids)
		if err != nil || !slices.Equal(lost, ids[:2]) {
			t.Fatalf("renewed with %v lost, %v; want %v", lost, err, ids[:2])
		}
		if epoch == stale.epoch {
			t.Fatal("the takeover did not change the epoch")
		}
		stale.epoch = epoch
		if out := stale.done(ids[2]); len(out.Lost) != 0 || out.Epoch != epoch {
			t.Errorf("%+v", out)
		}
		// The taker takes the fourth, too: with that epoch it is not settled any more.
		es, _ := taker.reclaim(10, 0)
		if !slices.Contains(entryIDs(es), ids[3]) {
			t.Fatalf("took over %v", entryIDs(es))
		}
		if out := stale.done(ids[3]); !slices.Equal(out.Lost, ids[3:]) {
			t.Errorf("%+v", out)
		}
	})
}

// A message that came back to its first worker is that one's, but not under the
// epoch under which it was read first... unless the worker looks.
func TestMessageThatWentBackAndForth(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		stale, taker, ids, c := takenOver(t, url)
		es, _ := stale.reclaim(10, 0)
		if len(es) != 4 {
			t.Fatalf("took back %v", entryIDs(es))
		}
		if out := taker.done(ids[:2]...); !slices.Equal(out.Lost, ids[:2]) {
			t.Errorf("%+v", out)
		}
		want := map[string]int64{ids[0]: 3, ids[1]: 3, ids[2]: 2, ids[3]: 2}
		if got := stale.owned(c); !maps.Equal(got, want) {
			t.Errorf("deliveries %v, want %v", got, want)
		}
		if out := stale.done(ids...); len(out.Lost) != 0 {
			t.Errorf("%+v", out)
		}
	})
}

func TestSettlingAfterAFlushIsLostAndCreatesNothing(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		send(t, q, "a", "b", "c")
		w := join(t, s, q, "w")
		ids := w.mustRead(3)
		c := rawClient(t, url)
		if err := c.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		out := w.settle(store.Settlement{
			Done:    []store.Done{{Epoch: w.epoch, IDs: ids[:1]}},
			Retries: []store.Retry{{ID: ids[1]}},
			Dead:    []store.Dead{{ID: ids[2]}},
		})
		if !slices.Equal(out.Lost, ids) || out.Epoch != "" {
			t.Errorf("%+v, want %v lost and no epoch", out, ids)
		}
		if _, lost, err := q.Renew(t.Context(), "w", ids); err != nil || !slices.Equal(lost, ids) {
			t.Errorf("renewed with %v lost, %v", lost, err)
		}
		if n, err := q.Release(t.Context(), "w"); n != 0 || err != nil {
			t.Errorf("released %d, %v", n, err)
		}
		if _, _, err := q.Reclaim(t.Context(), "w", 0, 10, 5); !errors.Is(err, store.ErrNoGroup) {
			t.Errorf("reclaim: %v", err)
		}
		err := w.reader.Read(t.Context(), "w", []*store.Queue{q}, 10, 0, func(int, store.Entry) {})
		if !errors.Is(err, store.ErrNoGroup) {
			t.Errorf("read: %v", err)
		}
		if keys := c.Keys(t.Context(), "*").Val(); len(keys) != 0 {
			t.Errorf("%v were made", keys)
		}
	})
}

func TestRetrySetsAsideWithItsStory(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		sent := store.Envelope{
			Payload: []byte("\x00\xff:5:"), ID: "mine", TTL: 3600_000, Target: "/a", Inbox: "in", Correlation: "c",
			Header: []string{"zz", "1", "aa", "\r\n"},
		}
		if _, err := q.Send(t.Context(), &sent); err != nil {
			t.Fatal(err)
		}
		w := join(t, s, q, "w")
		entry := w.mustRead(1)[0]
		before, err := s.Now(t.Context())
		before = before.Truncate(time.Millisecond) // as exact as due times are
		if err != nil {
			t.Fatal(err)
		}
		out := w.settle(store.Settlement{Retries: []store.Retry{{ID: entry, Delay: 30 * time.Minute, Attempts: 1, Error: "boom"}}})
		if len(out.Lost) != 0 || out.Epoch != w.epoch {
			t.Errorf("%+v", out)
		}
		if i := info(t, q); i.Ready+i.InFlight+i.Dead != 0 || i.Scheduled != 1 {
			t.Errorf("it is in more than one place: %+v", i)
		}
		got := scheduled(t, q)[0]
		if got.Malformed != nil || got.Attempts != 1 || got.Error != "boom" || got.Created != store.EntryTime(entry) {
			t.Errorf("%+v", got)
		}
		if got.FirstFailed < before.UnixMilli() || got.FirstFailed != got.LastFailed {
			t.Errorf("failed at %d and %d, after %d", got.FirstFailed, got.LastFailed, before.UnixMilli())
		}
		if late := got.Due.Sub(before); late < 30*time.Minute || late > 31*time.Minute {
			t.Errorf("due in %v", late)
		}
		asSent := got.Envelope
		asSent.Attempts, asSent.Error, asSent.Created, asSent.FirstFailed, asSent.LastFailed = 0, "", 0, 0, 0
		if !reflect.DeepEqual(asSent, sent) {
			t.Errorf("got  %+v\nsent %+v", asSent, sent)
		}
		// As after a lost reply: it is not set aside twice.
		if out := w.settle(store.Settlement{Retries: []store.Retry{{ID: entry, Attempts: 1}}}); !slices.Equal(out.Lost, []string{entry}) {
			t.Errorf("%+v", out)
		}
		if n := len(scheduled(t, q)); n != 1 {
			t.Errorf("%d are scheduled", n)
		}
	})
}

func TestSecondFailureKeepsTheFirstOnesTimeAndTheID(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		id := send(t, q, "x")[0]
		w := join(t, s, q, "w")
		var first store.Entry
		for attempt := 1; attempt <= 3; attempt++ {
			entry := w.mustRead(1)[0]
			w.settle(store.Settlement{Retries: []store.Retry{{ID: entry, Attempts: attempt, Error: fmt.Sprint("no. ", attempt)}}})
			got := scheduled(t, q)
			if len(got) != 1 || got[0].ID != id || got[0].Attempts != attempt || got[0].Created != store.EntryTime(id) ||
				got[0].Error != fmt.Sprint("no. ", attempt) {
				t.Fatalf("attempt %d: %+v", attempt, got)
			}
			if attempt == 1 {
				first = got[0]
			}
			if got[0].FirstFailed != first.FirstFailed || got[0].LastFailed < got[0].FirstFailed {
				t.Errorf("first failed at %d, then at %d, last at %d", first.FirstFailed, got[0].FirstFailed, got[0].LastFailed)
			}
			eventually(t, "it is due", func() bool {
				if _, err := s.Promote(t.Context(), []*store.Queue{q}, 10); err != nil {
					t.Fatal(err)
				}
				return len(waiting(t, q)) == 1
			})
		}
	})
}

func TestDeadLetterTellsItsStory(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		sent := store.Envelope{Payload: []byte{0, 255, '\r', '\n'}, Target: "/a", TTL: 1000, Header: []string{"hh", "v"}}
		id, err := q.Send(t.Context(), &sent)
		if err != nil {
			t.Fatal(err)
		}
		w := join(t, s, q, "w")
		w.mustRead(1)
		out := w.settle(store.Settlement{Dead: []store.Dead{{ID: id, Reason: "exhausted", Attempts: 3, Error: "boom\nstack"}}})
		if len(out.Lost) != 0 {
			t.Errorf("%+v", out)
		}
		if i := info(t, q); i.Ready+i.InFlight+i.Scheduled != 0 || i.Dead != 1 {
			t.Errorf("it is in more than one place: %+v", i)
		}
		got := deadLetters(t, q)[0]
		if got.Reason != "exhausted" || got.Error != "boom\nstack" || got.Attempts != 3 || got.ID != id ||
			got.Created != store.EntryTime(id) || got.FirstFailed == 0 || got.LastFailed != got.FirstFailed {
			t.Errorf("%+v", got)
		}
		if string(got.Payload) != string(sent.Payload) || !slices.Equal(got.Header, sent.Header) || got.TTL != 1000 || got.Target != "/a" {
			t.Errorf("%+v", got)
		}
		if last, err := q.LastDead(t.Context()); err != nil || last != got.Entry {
			t.Errorf("the newest is %s, %v", last, err)
		}
		// As after a lost reply.
		if out := w.settle(store.Settlement{Dead: []store.Dead{{ID: id}}}); !slices.Equal(out.Lost, []string{id}) {
			t.Errorf("%+v", out)
		}
		if n := len(deadLetters(t, q)); n != 1 {
			t.Errorf("%d dead letters", n)
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

func TestPromoteIsNeverEarly(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		due := map[string]int64{} // ms of the server's clock, by id
		for i, delay := range []time.Duration{1, 10, 30, 50, 50, 80} {
			r := q.SendIf(t.Context(), []store.Envelope{{Payload: []byte{byte(i)}}},
				store.SendTerms{Delay: delay*time.Millisecond + 1, Token: fmt.Sprint("t", i)})[0]
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		for _, e := range scheduled(t, q) {
			due[e.ID] = e.Due.UnixMilli()
			delay := e.Due.UnixMilli() - e.Created
			if want := []int64{2, 11, 31, 51, 51, 81}[e.Payload[0]]; delay != want { // rounded up, not down
				t.Errorf("message %d is due %d ms after its send, want %d", e.Payload[0], delay, want)
			}
		}
		var wg sync.WaitGroup
		var left atomic.Int64
		for range 4 { // as many processes do
			wg.Go(func() {
				for {
					next, err := s.Promote(t.Context(), []*store.Queue{q}, 2)
					if err != nil {
						t.Error(err)
						return
					}
					if next[0] < 0 {
						return
					}
					left.Store(int64(next[0]))
				}
			})
		}
		wg.Wait()
		got := waiting(t, q)
		if len(got) != 6 {
			t.Errorf("%d messages were moved, want each of 6 once", len(got))
		}
		for _, e := range got {
			if at := store.EntryTime(e.Entry); at < due[e.ID] {
				t.Errorf("%s was delivered %d ms early", e.ID, due[e.ID]-at)
			}
		}
		if i := info(t, q); i.Scheduled != 0 {
			t.Errorf("%+v", i)
		}
	})
}

func TestPromoteTellsWhenToComeAgain(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := open(t, url)
		far, empty, many := queue(t, s, "x:far"), queue(t, s, "x:empty"), queue(t, s, "x:many")
		past := store.SendTerms{Due: time.Unix(1, 0), Token: "past"}
		for _, r := range slices.Concat(
			far.SendIf(t.Context(), make([]store.Envelope, 1), store.SendTerms{Delay: time.Hour, Token: "far"}),
			many.SendIf(t.Context(), make([]store.Envelope, 5), past),
		) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		next, err := s.Promote(t.Context(), []*store.Queue{far, empty, many}, 2)
		if err != nil || len(next) != 3 {
			t.Fatal(next, err)
		}
		if next[0] > time.Hour || next[0] < 59*time.Minute || next[1] >= 0 || next[2] != 0 {
			t.Errorf("%v, want about an hour, nothing, at once", next)
		}
		if i := info(t, many); i.Ready != 2 || i.Scheduled != 3 {
			t.Errorf("%+v, want 2 moved of 5", i)
		}
	})
}

func TestPackedBytesSurvive(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		everyByte := make([]byte, 256)
		for i := range everyByte {
			everyByte[i] = byte(i)
		}
		large := make([]byte, 1<<20)
		for i := range large {
			large[i] = byte(i * 7)
		}
		sent := []store.Envelope{
			{Payload: everyByte, Header: []string{"bin", string(everyByte), "empty", ""}},
			{Payload: []byte{}},
			{Payload: []byte("5:hello3:abc")},
			{Payload: []byte(":"), ID: "1:", Header: []string{"12:", ":12"}},
			{Payload: large},
		}
		for i := range sent {
			if r := q.SendIf(t.Context(), sent[i:i+1], store.SendTerms{Due: time.Unix(int64(1+i), 0), Token: fmt.Sprint("t", i)})[0]; r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		check := func(where string, got []store.Entry) {
			t.Helper()
			if len(got) != len(sent) {
				t.Fatalf("%s: %d messages", where, len(got))
			}
			for i, e := range got {
				if e.Malformed != nil || string(e.Payload) != string(sent[i].Payload) || !slices.Equal(e.Header, sent[i].Header) {
					t.Errorf("%s: message %d: %v, %.100q with %.100q", where, i, e.Malformed, e.Payload, e.Header)
				}
				if sent[i].ID != "" && e.ID != sent[i].ID || e.ID == "" {
					t.Errorf("%s: message %d has the id %q", where, i, e.ID)
				}
			}
		}
		check("scheduled", scheduled(t, q))
		if _, err := s.Promote(t.Context(), []*store.Queue{q}, 100); err != nil {
			t.Fatal(err)
		}
		check("promoted", waiting(t, q))
	})
}

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
		sent := store.Envelope{Payload: []byte("x"), TTL: 60_000, Target: "/a", Inbox: "in", Correlation: "c", Header: []string{"hh", "v"}}
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
			if c.PTTL(t.Context(), key).Val() < 0 {
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

// However far away, a time in the future is in the future.
func TestFarFutureIsNotNow(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		for i, terms := range []store.SendTerms{
			{Delay: math.MaxInt64},
			{Delay: math.MaxInt64 - 1},
			{Due: time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)},
			{Due: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)},
		} {
			terms.Token = fmt.Sprint("t", i)
			if r := q.SendIf(t.Context(), make([]store.Envelope, 1), terms)[0]; r.Err != nil {
				t.Errorf("%+v: %v", terms, r.Err)
			}
		}
		if _, err := s.Promote(t.Context(), []*store.Queue{q}, 10); err != nil {
			t.Fatal(err)
		}
		if i := info(t, q); i.Ready != 0 || i.Scheduled != 4 {
			t.Errorf("%+v", i)
		}
	})
}

func TestDeleteRefusesAQueueWithMessages(t *testing.T) {
	for _, state := range []string{"ready", "in flight", "scheduled", "dead"} {
		t.Run(state, func(t *testing.T) {
			redistest.ForEachStore(t, func(t *testing.T, url string) {
				s, q := openQueue(t, url)
				switch state {
				case "ready":
					send(t, q, "x")
				case "in flight":
					send(t, q, "x")
					join(t, s, q, "w").mustRead(1)
				case "scheduled":
					q.SendIf(t.Context(), make([]store.Envelope, 1), store.SendTerms{Delay: time.Hour, Token: "t"})
				case "dead":
					bury(t, s, q, 1)
				}
				keep := queue(t, s, "jobs:keep")
				send(t, keep, "x")
				before := info(t, q)
				if left, err := q.Delete(t.Context(), false); left != 1 || err != nil {
					t.Errorf("%d, %v", left, err)
				}
				if got := info(t, q); got != before {
					t.Errorf("was %+v, is %+v", before, got)
				}
				if left, err := q.Delete(t.Context(), true); left != 0 || err != nil {
					t.Errorf("forced: %d, %v", left, err)
				}
				if got := info(t, q); got != (store.Info{}) {
					t.Errorf("%+v", got)
				}
				names, err := s.QueueNames(t.Context())
				if err != nil || !slices.Equal(names, []string{"jobs:keep"}) {
					t.Errorf("queues: %v, %v", names, err)
				}
				c := rawClient(t, url)
				for _, key := range c.Keys(t.Context(), "*").Val() {
					if key != keep.Stream && key != "leanmq:queues" {
						t.Errorf("%s is left", key)
					}
				}
				if i := info(t, keep); i.Ready != 1 {
					t.Errorf("its neighbour: %+v", i)
				}
				// It comes back with its next message, also in the registry.
				send(t, q, "again")
				if names, _ := s.QueueNames(t.Context()); !slices.Contains(names, "jobs") {
					t.Errorf("queues: %v", names)
				}
			})
		})
	}
}

func TestCreateMakesAnEmptyQueueAndKeepsAFullOne(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		if i := info(t, q); i.Exists {
			t.Errorf("%+v", i)
		}
		for range 2 {
			if err := q.Create(t.Context()); err != nil {
				t.Fatal(err)
			}
			if i := info(t, q); !i.Exists {
				t.Errorf("%+v", i)
			}
			send(t, q, "x")
		}
		if i := info(t, q); i.Ready != 2 {
			t.Errorf("%+v", i)
		}
		if names, err := s.QueueNames(t.Context()); err != nil || !slices.Equal(names, []string{"jobs"}) {
			t.Errorf("%v, %v", names, err)
		}
	})
}

func TestRoutesAreWrittenOnlyOverWhatWasRead(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := open(t, url)
		publish := func(version string, routes map[string]string) bool {
			t.Helper()
			ok, err := s.PublishRoutes(t.Context(), version, routes)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		routes, version, err := s.Routes(t.Context())
		if err != nil || len(routes) != 0 || version != "0" {
			t.Fatalf("empty: %v, %s, %v", routes, version, err)
		}
		if !publish("0", map[string]string{"/a": "x", "/b": "x"}) {
			t.Error("the first one was refused")
		}
		if publish("0", map[string]string{"/a": "y", "/c": "y"}) {
			t.Error("the table was changed since it was read")
		}
		routes, version, err = s.Routes(t.Context())
		if err != nil || !maps.Equal(routes, map[string]string{"/a": "x", "/b": "x"}) {
			t.Errorf("%v, %v", routes, err)
		}
		if !publish(version, map[string]string{"/a": "", "/c": "z"}) {
			t.Error("the second one was refused")
		}
		if routes, _, err = s.Routes(t.Context()); err != nil || !maps.Equal(routes, map[string]string{"/b": "x", "/c": "z"}) {
			t.Errorf("%v, %v", routes, err)
		}

		// Of several that read the same version one is accepted.
		_, version, _ = s.Routes(t.Context())
		var wg sync.WaitGroup
		var accepted atomic.Int64
		for i := range 8 {
			wg.Go(func() {
				ok, err := s.PublishRoutes(t.Context(), version, map[string]string{"/a": fmt.Sprint(i)})
				if err != nil {
					t.Error(err)
				}
				if ok {
					accepted.Add(1)
				}
			})
		}
		wg.Wait()
		if accepted.Load() != 1 {
			t.Errorf("%d were accepted", accepted.Load())
		}
	})
}

func TestReplyToACallerWhoIsGoneLeavesNothingBehind(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		send(t, q, "a", "b")
		w := join(t, s, q, "w")
		ids := w.mustRead(2)
		in, err := s.OpenInbox(t.Context(), "there", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		out := w.settle(store.Settlement{
			Done: []store.Done{{Epoch: w.epoch, IDs: ids}},
			Replies: []store.Reply{
				{Inbox: "leanmq:inbox:{gone}", Correlation: "1"},
				{Inbox: in.Key, Correlation: "2", Status: 201, Payload: []byte("\x00"), Header: []string{"hh", "v"}},
			},
		})
		if out.Dropped != 1 || len(out.Lost) != 0 {
			t.Errorf("%+v", out)
		}
		var got []store.Reply
		if err := in.Read(t.Context(), time.Second, func(r store.Reply) { got = append(got, r) }); err != nil {
			t.Fatal(err)
		}
		want := []store.Reply{{Correlation: "2", Status: 201, Payload: []byte("\x00"), Header: []string{"hh", "v"}}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%+v", got)
		}
		c := rawClient(t, url)
		if ttl := c.PTTL(t.Context(), in.Key).Val(); ttl <= 0 || ttl > time.Minute {
			t.Errorf("the inbox lives for %v", ttl)
		}
		if err := in.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if keys := c.Keys(t.Context(), "*inbox*").Val(); len(keys) != 0 {
			t.Errorf("left: %v", keys)
		}
		if i := info(t, q); i.InFlight != 0 {
			t.Errorf("a reply that was dropped kept its message: %+v", i)
		}
	})
}

// A script must be able to move whatever can be in a stream: one that cannot
// would stop everything behind it.
func TestMessagesWithManyHeadersAreMoved(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		most := store.Envelope{Payload: []byte("x"), ID: "i", TTL: 1 << 40, Target: "/a", Inbox: "in", Correlation: "c"}
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
