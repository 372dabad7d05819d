package store_test

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

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

// takenOver is the situation after a takeover: stale read four messages and
// taker has the first two now.
func takenOver(t *testing.T, url string) (stale, taker *worker, ids []string, c redis.UniversalClient) {
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
func untouched(t *testing.T, taker *worker, ids []string, c redis.UniversalClient) {
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
				st.Retries = append(st.Retries, store.Retry{ID: id, Epoch: w.epoch, Attempts: 1, Error: "stale", Delay: time.Hour})
			}
			return w.settle(st)
		}},
		{"dead", func(w *worker, ids []string) store.Settled {
			var st store.Settlement
			for _, id := range ids {
				st.Dead = append(st.Dead, store.Dead{ID: id, Epoch: w.epoch, Attempts: 1, Error: "stale", Reason: "rejected"})
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

// A worker that has not renewed in time may bury what it still runs itself.
func TestWorkerThatBuriesItsOwnHasLostIt(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		send(t, q, "a", "b")
		w := join(t, s, q, "w")
		ids := w.mustRead(2)
		if es, buried := w.reclaim(1, 1); len(es) != 0 || buried != 1 {
			t.Fatalf("reclaimed %v and buried %d", entryIDs(es), buried)
		}
		if out := w.done(ids...); !slices.Equal(out.Lost, ids[:1]) {
			t.Errorf("lost %v, want %v", out.Lost, ids[:1])
		}
		if i := info(t, q); i.Ready+i.InFlight != 0 || i.Dead != 1 {
			t.Errorf("%+v", i)
		}
	})
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
