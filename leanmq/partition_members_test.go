package leanmq_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

// shares is what members say that they have.
type shares struct {
	mu  sync.Mutex
	now map[int][]int
}

// member is the option of a client that is to tell as the member with this number.
func (s *shares) member(i int) leanmq.Option {
	return leanmq.Observe(leanmq.Hooks{Shared: func(info leanmq.ShareInfo) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.now == nil {
			s.now = map[int][]int{}
		}
		s.now[i] = info.Mine
	}})
}

func (s *shares) gone(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.now, i)
}

func (s *shares) of(i int) []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.now[i])
}

// even reports whether m members have n partitions in equal shares.
func (s *shares) even(m, n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.now) != m {
		return false
	}
	var all []int
	for mine := range maps.Values(s.now) {
		if len(mine) < max(n/m, 1) || len(mine) > max((n+m-1)/m, 1) {
			return false
		}
		all = append(all, mine...)
	}
	slices.Sort(all)
	return len(all) == max(n, m) && len(slices.Compact(all)) == n
}

// Members come and go while messages do: each is handled once, those with one key in
// order, and the partitions are always shared out evenly in the end.
func TestMembersShareThePartitions(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const n, keys = 4, 20
		var s shares
		var mu sync.Mutex
		handled := map[string]int{}
		running, last := map[string]bool{}, map[string]int{}
		h := func(_ context.Context, m *leanmq.Message) error {
			key := m.Header.Get("key")
			mu.Lock()
			handled[string(m.Payload)]++
			if key != "" {
				i := atoi(t, strings.TrimPrefix(string(m.Payload), key+"-"))
				if running[key] {
					t.Errorf("%s runs beside another one", m.Payload)
				}
				if i != last[key]+1 {
					t.Errorf("%s comes after %d", m.Payload, last[key])
				}
				running[key], last[key] = true, i
			}
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			delete(running, key)
			mu.Unlock()
			return nil
		}

		q := open(t, url).Partitioned("jobs", n)
		stop := make(chan struct{})
		sent := 0
		var sender sync.WaitGroup
		sender.Go(func() {
			for i := 1; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
				}
				for k := range keys {
					key := fmt.Sprint("k", k)
					if _, err := q.Send(context.Background(), fmt.Appendf(nil, "%s-%d", key, i), leanmq.OrderingKey(key), leanmq.WithHeader("key", key)); err != nil {
						t.Error(err)
					}
				}
				if _, err := q.SendMany(context.Background(), [][]byte{fmt.Append(nil, i), fmt.Append(nil, -i)}); err != nil {
					t.Error(err)
				}
				sent += keys + 2
			}
		})
		members := map[int]*testkit.Running{}
		for round, want := range []int{1, 2, 3, 5, 2, 1, 4} {
			for len(members) < want {
				i := 10*round + len(members)
				members[i] = consumePartitions(t, open(t, url, s.member(i)).Partitioned("jobs", n), h, leanmq.Concurrency(4))
			}
			for i, m := range members {
				if len(members) > want {
					if err := m.Stop(); err != nil {
						t.Error(err)
					}
					s.gone(i)
					delete(members, i)
				}
			}
			eventually(t, fmt.Sprintf("%d members have equal shares, and nothing else", want), func() bool {
				consumers := int64(0)
				for _, p := range partitions(t, q).Partitions {
					consumers += p.Consumers
				}
				return s.even(want, n) && consumers == int64(max(want, n))
			})
			if got := partitions(t, q).Members; len(got) != want {
				t.Errorf("members: %q, want %d", got, want)
			}
		}
		close(stop)
		sender.Wait()
		partitionsBecomeEmpty(t, q)
		for _, m := range members {
			if err := m.Stop(); err != nil {
				t.Error(err)
			}
		}
		if len(handled) != sent {
			t.Errorf("%d of %d messages were handled", len(handled), sent)
		}
		for payload, times := range handled {
			if times != 1 {
				t.Errorf("%s was handled %d times", payload, times)
			}
		}
		if got := partitions(t, q).Members; len(got) != 0 {
			t.Errorf("members that are gone: %q", got)
		}
		t.Logf("%d messages", sent)
	})
}

// A handler that runs when its partition goes to another member finishes in peace,
// however long that takes; and when the partition comes back meanwhile, it is
// consumed here again at once.
func TestHandlersFinishWhenTheirPartitionGoes(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const n = 2
		var s shares
		begun, finish := make(chan string, n), make(chan struct{})
		var here, there record
		h := func(ctx context.Context, m *leanmq.Message) error {
			if len(m.Payload) > 1 {
				return here.done(ctx, m)
			}
			begun <- m.Queue
			select {
			case <-finish:
			case <-ctx.Done():
				t.Errorf("cancelled: %v", context.Cause(ctx))
			}
			return nil
		}
		q := open(t, url, s.member(1)).Partitioned("jobs", n)
		if _, err := q.SendMany(t.Context(), numbers(n)); err != nil {
			t.Fatal(err)
		}
		a := consumePartitions(t, q, h, leanmq.DrainTimeout(time.Millisecond))
		for range n {
			receive(t, "a handler begins", begun)
		}
		b := consumePartitions(t, open(t, url, s.member(2)).Partitioned("jobs", n), there.done)
		eventually(t, "equal shares", func() bool { return s.even(2, n) })
		gone := q.Partitions()[s.of(2)[0]]
		inARow := 0 // by chance it takes them all while the old one does, too
		eventually(t, "only the new one takes messages", func() bool {
			before := there.count()
			all := here.count() + before + 20
			for range 20 {
				send(t, gone, "new")
			}
			eventually(t, "they are handled", func() bool { return here.count()+there.count() == all })
			inARow++
			if there.count() != before+20 {
				inARow = 0
			}
			return inARow == 5
		})
		eventually(t, "what is left is that of the old one's handler", func() bool { return info(t, gone).InFlight == 1 })
		if err := b.Stop(); err != nil {
			t.Error(err)
		}
		s.gone(2)
		before := here.count()
		send(t, gone, "again")
		here.wait(t, before+1)
		close(finish)
		partitionsBecomeEmpty(t, q)
		if err := a.Stop(); err != nil {
			t.Error(err)
		}
	})
}
