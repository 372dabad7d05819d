package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// sequence notes in which order messages of each ordering key are done, and whether
// two of them ever ran at once.
type sequence struct {
	mu      sync.Mutex
	running map[string]int
	done    map[string][]string
	overlap []string
}

func newSequence() *sequence {
	return &sequence{running: map[string]int{}, done: map[string][]string{}}
}

// handle is a handler whose messages say their key in a header; fail decides which
// attempts fail.
func (s *sequence) handle(fail func(*leanmq.Message) bool) leanmq.Handler {
	return func(_ context.Context, m *leanmq.Message) error {
		key := m.Header.Get("key")
		s.mu.Lock()
		s.running[key]++
		if s.running[key] > 1 {
			s.overlap = append(s.overlap, key)
		}
		s.mu.Unlock()
		time.Sleep(rand.N(time.Millisecond))
		failed := fail != nil && fail(m)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running[key]--
		if failed {
			return errors.New("not yet")
		}
		s.done[key] = append(s.done[key], string(m.Payload))
		return nil
	}
}

func TestMessagesWithOneOrderingKeyAreHandledInSendOrder(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const keys, each = 5, 20
		seq := newSequence()
		flaky := func(m *leanmq.Message) bool { return m.Attempt < 3 && rand.N(4) == 0 }
		for range 3 { // as many processes
			consume(t, open(t, url).Queue("q"), seq.handle(flaky),
				leanmq.Retry(leanmq.RetryPolicy{MinBackoff: time.Millisecond, MaxBackoff: 3 * time.Millisecond}))
		}
		q := open(t, url).Queue("q")
		var want []string
		for n := range each {
			for k := range keys {
				key := fmt.Sprint("k", k)
				send(t, q, fmt.Sprint(n), leanmq.OrderingKey(key), leanmq.WithHeader("key", key))
			}
			want = append(want, fmt.Sprint(n))
		}
		becomesEmpty(t, q)
		for k := range keys {
			if got := seq.done[fmt.Sprint("k", k)]; !slices.Equal(got, want) {
				t.Errorf("key k%d: %v", k, got)
			}
		}
		if len(seq.overlap) > 0 {
			t.Errorf("ran at once: %v", seq.overlap)
		}
	})
}

func TestPriority(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		for i := range 10 {
			send(t, q, fmt.Sprint("low", i), leanmq.Priority(leanmq.Low))
			send(t, q, fmt.Sprint("normal", i))
			send(t, q, fmt.Sprint("urgent", i), leanmq.Priority(leanmq.Urgent))
		}
		if i := info(t, q); i.Ready != 30 {
			t.Errorf("%+v", i)
		}
		var got record
		consume(t, q, got.done, leanmq.Concurrency(1))
		got.wait(t, 30)
		t.Log(got.payloads())
		becomesEmpty(t, q)
	})
}

func TestLimits(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		for i := range 30 {
			send(t, q, fmt.Sprint(i))
		}
		var mu sync.Mutex
		running, most := 0, 0
		for range 3 {
			consume(t, open(t, url).Queue("q"), func(context.Context, *leanmq.Message) error {
				mu.Lock()
				running++
				most = max(most, running)
				mu.Unlock()
				time.Sleep(2 * time.Millisecond)
				mu.Lock()
				running--
				mu.Unlock()
				return nil
			}, leanmq.LimitTo(leanmq.Limits{Running: 2}))
		}
		becomesEmpty(t, q)
		if most > 2 {
			t.Error(most)
		}
		if err := q.SetLimits(t.Context(), leanmq.Limits{Rate: 100}); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		for i := range 31 {
			send(t, q, fmt.Sprint(i))
		}
		becomesEmpty(t, q)
		t.Log(time.Since(begin))
		if time.Since(begin) < 300*time.Millisecond {
			t.Error("too fast")
		}
	})
}
