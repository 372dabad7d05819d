package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

// levelsOf joins the levels of a queue, the most urgent first.
func levelsOf(t *testing.T, s *store.Store, q *store.Queue, consumer string, levels ...int) []*store.Queue {
	t.Helper()
	var out []*store.Queue
	for _, n := range levels {
		l := q.Level(n)
		join(t, s, l, consumer)
		out = append(out, l)
	}
	return out
}

func take(t *testing.T, s *store.Store, consumer string, levels []*store.Queue, w store.Wanted) ([]string, store.Taken) {
	t.Helper()
	var got []string
	if w.UpTo == nil {
		w.UpTo = slices.Repeat([]int{w.Most}, len(levels))
	}
	taken, err := s.Take(context.Background(), consumer, levels, w, func(level int, e store.Entry) {
		got = append(got, fmt.Sprint(level, string(e.Payload)))
	})
	if err != nil {
		t.Fatal(err)
	}
	return got, taken
}

func sendLevel(t *testing.T, q *store.Queue, level, n int) {
	t.Helper()
	for i := range n {
		sendIn(t, q, store.Envelope{Payload: fmt.Append(nil, i), Level: int64(level)}, store.SendTerms{})
	}
}

func TestTakeFollowsThePlan(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		levels := levelsOf(t, s, q, "w", 3, 0, 1)
		sendLevel(t, q, 3, 4)
		sendLevel(t, q, 0, 2)
		sendLevel(t, q, 1, 5)
		for _, tt := range []struct {
			w    store.Wanted
			want []string
			more []bool
		}{
			{store.Wanted{Most: 3, Plan: "021"}, []string{"00", "10", "20"}, []bool{true, true, true}},
			{store.Wanted{Most: 2, Plan: "11"}, []string{"01", "11"}, []bool{true, false, true}}, // made up for by the first
			{store.Wanted{Most: 1, Plan: "0"}, []string{"02"}, []bool{true, false, true}},
			{store.Wanted{Most: 9, Plan: "0", UpTo: []int{9, 3, 3}}, []string{"03", "21", "22"}, []bool{false, false, true}},
			{store.Wanted{Most: 5, Plan: "", UpTo: []int{5, 5, 1}}, []string{"23"}, []bool{false, false, true}},
			{store.Wanted{Most: 5, Plan: "", UpTo: []int{5, 5, 0}}, nil, []bool{false, false, true}},
			{store.Wanted{Most: 5, Plan: "01"}, []string{"24"}, []bool{false, false, false}},
		} {
			got, taken := take(t, s, "w", levels, tt.w)
			if !slices.Equal(got, tt.want) || !slices.Equal(taken.More, tt.more) || taken.Why != "" {
				t.Errorf("%+v: took %v, %+v; want %v, %v", tt.w, got, taken, tt.want, tt.more)
			}
		}
		got, taken := take(t, s, "w", levels, store.Wanted{Most: 5, Plan: "0"})
		if len(got) != 0 || taken.Why != "empty" || len(taken.Last) != 3 || slices.Contains(taken.Last, "") {
			t.Errorf("%v, %+v", got, taken)
		}
	})
}

// What was read before a level turned out to be missing is delivered.
func TestTakeDeliversWhatItReadBeforeALevelWasMissing(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		levels := levelsOf(t, s, q, "w", 3, 0)
		sendLevel(t, q, 3, 1)
		sendLevel(t, q, 0, 1)
		if err := rawClient(t, url).XGroupDestroy(t.Context(), q.Stream, "leanmq").Err(); err != nil {
			t.Fatal(err)
		}
		if got, taken := take(t, s, "w", levels, store.Wanted{Most: 5, Plan: "01"}); !slices.Equal(got, []string{"00"}) || taken.Why != "" {
			t.Errorf("%v, %+v", got, taken)
		}
		_, err := s.Take(t.Context(), "w", levels, store.Wanted{Most: 5, UpTo: []int{5, 5}}, func(int, store.Entry) { t.Error("a message") })
		if !errors.Is(err, store.ErrNoGroup) {
			t.Errorf("%v", err)
		}
	})
}

func TestTakeKeepsTheRunningLimit(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		a, b := levelsOf(t, s, q, "a", 3, 0), levelsOf(t, s, q, "b", 3, 0)
		sendLevel(t, q, 3, 3)
		sendLevel(t, q, 0, 5)
		if err := q.SetLimits(t.Context(), store.Limits{Running: 4}); err != nil {
			t.Fatal(err)
		}
		if got, _ := take(t, s, "a", a, store.Wanted{Most: 3}); len(got) != 3 {
			t.Errorf("%v", got)
		}
		if got, _ := take(t, s, "b", b, store.Wanted{Most: 3}); len(got) != 1 {
			t.Errorf("%v", got)
		}
		if got, taken := take(t, s, "b", b, store.Wanted{Most: 3}); len(got) != 0 || taken.Why != "running" {
			t.Errorf("%v, %+v", got, taken)
		}
		if _, err := b[1].Release(t.Context(), "b"); err != nil {
			t.Fatal(err)
		}
		if got, taken := take(t, s, "a", a, store.Wanted{Most: 3}); len(got) != 0 || taken.Why != "returned" {
			t.Errorf("%v, %+v", got, taken)
		}
		if err := q.SetPaused(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if _, taken := take(t, s, "a", a, store.Wanted{Most: 3}); taken.Why != "paused" {
			t.Errorf("%+v", taken)
		}
	})
}

// More were in flight than a new limit allows: takeovers keep to it, too.
func TestReclaimKeepsTheRunningLimit(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		levelsOf(t, s, q, "dead", 3)
		sendLevel(t, q, 3, 4)
		send(t, q, make([]string, 6)...)
		dead, w := join(t, s, q, "dead"), join(t, s, q, "w")
		dead.mustRead(6)
		high := q.Level(3)
		if got, _ := take(t, s, "dead", []*store.Queue{high}, store.Wanted{Most: 10}); len(got) != 4 {
			t.Fatal(got)
		}
		if _, err := high.Release(t.Context(), "dead"); err != nil {
			t.Fatal(err)
		}
		if err := q.SetLimits(t.Context(), store.Limits{Running: 3}); err != nil {
			t.Fatal(err)
		}
		const lease = time.Hour // what was handed back is beyond any
		join(t, s, high, "w")
		if es, _, err := high.Reclaim(t.Context(), "w", lease, 10, 0); err != nil || len(es) != 0 {
			t.Errorf("%d of 4 taken over beside 6 that run, %v", len(es), err)
		}
		if _, err := q.Release(t.Context(), "dead"); err != nil {
			t.Fatal(err)
		}
		es, _, err := high.Reclaim(t.Context(), "w", lease, 2, 0)
		if err != nil || len(es) != 2 {
			t.Fatalf("%d, %v", len(es), err)
		}
		es2, _, err := q.Reclaim(t.Context(), "w", lease, 10, 0)
		if err != nil || len(es2) != 1 {
			t.Fatalf("%d, %v, want the third one", len(es2), err)
		}
		if es, _, err := q.Reclaim(t.Context(), "w", lease, 10, 0); err != nil || len(es) != 0 {
			t.Errorf("%d more, %v", len(es), err)
		}
		w.done(es2[0].Entry)
		if es, _, err := q.Reclaim(t.Context(), "w", lease, 10, 0); err != nil || len(es) != 1 {
			t.Errorf("%d when there was room for one, %v", len(es), err)
		}
	})
}

// By the server's clock never more than Burst + Rate·t are taken in any time t, and
// what is allowed is taken.
func TestTakeKeepsTheRate(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		for _, l := range []store.Limits{
			{Rate: 1000, Per: time.Second, Burst: 1},
			{Rate: 700, Per: 999 * time.Millisecond, Burst: 20},
			{Rate: 1, Per: 1500 * time.Microsecond, Burst: 3},
			{Rate: 7000, Per: time.Second, Burst: 2},
		} {
			s := open(t, url)
			q, err := s.Queue(fmt.Sprint("q", l.Rate))
			if err != nil {
				t.Fatal(err)
			}
			join(t, s, q, "a")
			join(t, s, q, "b")
			send(t, q, make([]string, 1000)...)
			if err := q.SetLimits(t.Context(), l); err != nil {
				t.Fatal(err)
			}
			type event struct {
				at time.Time
				n  int
			}
			var events []event
			c := rawClient(t, url)
			start := c.Time(t.Context()).Val()
			longest := l.Per/time.Duration(l.Rate) + 2*time.Millisecond // it is rounded up
			for begin := time.Now(); time.Since(begin) < 150*time.Millisecond; {
				got, taken := take(t, s, []string{"a", "b"}[rand.N(2)], []*store.Queue{q}, store.Wanted{Most: 1 + rand.N(5)})
				at, err := c.Time(t.Context()).Result() // no sooner than the taking
				if err != nil {
					t.Fatal(err)
				}
				if len(got) > 0 {
					events = append(events, event{at, len(got)})
				} else if taken.Why != "rate" || taken.Wait <= 0 || taken.Wait > longest {
					t.Fatalf("%+v, the next one is due in %v at most", taken, longest)
				}
				if rand.N(10) == 0 {
					time.Sleep(rand.N(3 * time.Millisecond))
				}
			}
			perSecond := float64(l.Rate) / l.Per.Seconds()
			n := 0
			for i, e := range events { // the k-th is taken no sooner than it may
				n += e.n
				if most := float64(l.Burst) + perSecond*e.at.Sub(start).Seconds(); float64(n) > most+0.001 {
					t.Fatalf("%+v: %d taken until event %d, at most %.3f are allowed", l, n, i, most)
				}
			}
			if n == 0 {
				t.Errorf("%+v: none was taken", l)
			}
			if ttl := c.PTTL(t.Context(), q.Rate).Val(); ttl <= 0 {
				t.Errorf("the rate's key lives for %v", ttl)
			}
		}
	})
}

func TestUniqueKeyIsFreedByItsHolderOnly(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		c := rawClient(t, url)
		unique := func(payload string) store.Envelope {
			return store.Envelope{Payload: []byte(payload), UniqueKey: "u"}
		}
		first := sendIn(t, q, unique("1"), store.SendTerms{Scripted: true})
		w := join(t, s, q, "w")
		e := w.read(1)[0]
		e.ID = e.Entry
		st := finished(w, e)
		w.settle(st)
		second := sendIn(t, q, unique("2"), store.SendTerms{Scripted: true})
		w.settle(st) // a lost reply
		if got := c.HGet(t.Context(), q.Unique, "u").Val(); got != second || got == first {
			t.Errorf("the key is %q's, want %q", got, second)
		}
		r := q.SendIf(t.Context(), []store.Envelope{unique("3")}, store.SendTerms{Scripted: true})[0]
		if !r.Dup || r.ID != second {
			t.Errorf("%+v", r)
		}
		foreign := unique("sent past the script")
		if _, err := q.Send(t.Context(), &foreign); err != nil {
			t.Fatal(err)
		}
		for _, e := range w.read(10) {
			if string(e.Payload) != "2" {
				w.settle(finished(w, e))
			}
		}
		if got := c.HGet(t.Context(), q.Unique, "u").Val(); got != second {
			t.Errorf("the key is %q's, want %q", got, second)
		}
	})
}

// A level whose stream a consumer made is known to the queue: it is counted, read by
// others and deleted.
func TestJoiningALevelMakesItKnown(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		join(t, s, q.Level(2), "w")
		join(t, s, q.Level(2), "w")
		c, err := q.Control(t.Context())
		if err != nil || !slices.Equal(c.Levels, []int{2}) || c.Version != 1 {
			t.Errorf("%+v, %v", c, err)
		}
		if left, err := q.Delete(t.Context(), false); left != 0 || err != nil {
			t.Errorf("%d, %v", left, err)
		}
		if keys := rawClient(t, url).Keys(t.Context(), "leanmq:{jobs}*").Val(); len(keys) != 0 {
			t.Errorf("left: %v", keys)
		}
	})
}
