package store_test

import (
	"maps"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

// lapse makes messages look as if their consumer had not been heard of for an hour.
func lapse(t *testing.T, raw redis.UniversalClient, q *store.Queue, consumer string, entries []string) {
	t.Helper()
	for _, e := range entries {
		err := raw.Do(t.Context(), "XCLAIM", q.Stream, "leanmq", consumer, 0, e, "IDLE", time.Hour.Milliseconds(), "RETRYCOUNT", 1, "JUSTID").Err()
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestLapsedMessagesAreHandedBack(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		raw := rawClient(t, url)
		if n, err := q.HandBackLapsed(t.Context(), 0); n != 0 || err != nil {
			t.Errorf("of no queue: %d, %v", n, err)
		}
		dead, alive := join(t, s, q, "dead"), join(t, s, q, "alive")
		send(t, q, "1", "2", "3", "4")
		lapsed := dead.mustRead(3)
		lapse(t, raw, q, "dead", lapsed)
		fresh := alive.mustRead(1)
		raw.XDel(t.Context(), q.Stream, lapsed[2]) // by hand
		for i, want := range []int{2, 0} {         // safe to repeat
			if n, err := q.HandBackLapsed(t.Context(), time.Minute); n != want || err != nil {
				t.Errorf("%d: handed back %d, %v; want %d", i, n, err, want)
			}
		}
		want := map[string]int64{lapsed[0]: 1, lapsed[1]: 1}
		if got := pendingOf(t, raw, q, "released"); !maps.Equal(got, want) {
			t.Errorf("handed back %v, want %v", got, want)
		}
		if got := alive.owned(raw); len(got) != 1 || got[fresh[0]] != 1 {
			t.Errorf("the living one has %v", got)
		}
		if i := info(t, q); i.InFlight != 1 || i.Ready != 2 || i.Consumers != 2 {
			t.Errorf("%+v, want 1 in flight, 2 ready, 2 consumers", i)
		}
		// Who comes back from the dead settles nothing.
		if out := dead.done(lapsed[0]); len(out.Lost) != 1 {
			t.Errorf("lost %v", out.Lost)
		}
		es, _ := alive.reclaim(10, 0)
		for _, e := range es {
			if e.Entry != fresh[0] && e.Deliveries != 2 {
				t.Errorf("delivery %d of %s, want the dead worker's counted", e.Deliveries, e.Entry)
			}
		}
	})
}
