package store_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
)

// Many that are done are deleted together. In whatever order that is: what nobody has
// been given yet, or still has, is never among them, and nothing of the rest stays.
func TestOnlyWhatIsDoneIsDeleted(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		for seed := range uint64(6) {
			t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 0))
				s := open(t, url)
				q := queue(t, s, "q"+strconv.FormatUint(seed, 10))
				payloads := make([]string, 400)
				ids := send(t, q, payloads...)
				left := slices.Clone(ids)
				workers := []*worker{join(t, s, q, "a"), join(t, s, q, "b"), join(t, s, q, "c")}
				held := make([][]string, len(workers))
				for round := range 60 {
					i := random.IntN(len(workers))
					if round < 30 {
						held[i] = append(held[i], entryIDs(workers[i].read(1+random.IntN(20)))...)
					}
					// From the oldest ones, mostly, in any order.
					n := min(random.IntN(40), len(held[i]))
					at := random.IntN(min(len(held[i])-n, 3) + 1)
					done := slices.Clone(held[i][at : at+n])
					held[i] = slices.Delete(held[i], at, at+n)
					random.Shuffle(n, func(a, b int) { done[a], done[b] = done[b], done[a] })
					if n == 0 {
						continue
					}
					if out := workers[i].done(done...); len(out.Lost) > 0 {
						t.Fatalf("round %d: lost %v", round, out.Lost)
					}
					left = slices.DeleteFunc(left, func(id string) bool { return slices.Contains(done, id) })
					if got := entryIDs(waiting(t, q)); !slices.Equal(got, left) {
						t.Fatalf("round %d, after %v: there are\n%v, want\n%v", round, done, got, left)
					}
				}
			})
		}
	})
}

// A group that was made anew begins at the start of the stream. A worker that has not
// noticed settles what it was given by the one before: the rest must stay.
func TestWorkerOfALostGroupDeletesNoMoreThanItHas(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		ids := send(t, q, make([]string, 40)...)
		w := join(t, s, q, "w")
		got := w.mustRead(30)
		c := rawClient(t, url)
		if err := c.XGroupDestroy(t.Context(), q.Stream, "leanmq").Err(); err != nil {
			t.Fatal(err)
		}
		if err := c.XGroupCreate(t.Context(), q.Stream, "leanmq", "0").Err(); err != nil {
			t.Fatal(err)
		}
		w.done(got[10:]...)
		want := slices.Concat(ids[:10], ids[30:])
		if there := entryIDs(waiting(t, q)); !slices.Equal(there, want) {
			t.Errorf("there are %v, want %v", there, want)
		}
	})
}
