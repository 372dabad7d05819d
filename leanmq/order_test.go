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

func TestPauseResume(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		var got record
		consume(t, open(t, url).Queue("q"), got.done)
		send(t, q, "1")
		got.wait(t, 1)
		if err := q.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		send(t, q, "2")
		time.Sleep(100 * time.Millisecond)
		if got.count() != 1 {
			t.Error("handled")
		}
		if err := q.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		got.wait(t, 2)
		t.Log(time.Since(begin))
	})
}

func TestBatchAndResult(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var mu sync.Mutex
		var sizes []int
		wg.Go(func() {
			err := q.ConsumeBatches(ctx, 10, 50*time.Millisecond, func(_ context.Context, b []*leanmq.Message) []error {
				mu.Lock()
				sizes = append(sizes, len(b))
				mu.Unlock()
				for _, m := range b {
					m.SetResult(append([]byte("r"), m.Payload...))
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		var ids []string
		for i := range 25 {
			ids = append(ids, send(t, q, fmt.Sprint(i), leanmq.KeepResult(time.Minute)))
		}
		for i, id := range ids {
			r, err := open(t, url).Queue("q").Result(t.Context(), id)
			if err != nil || string(r.Payload) != fmt.Sprint("r", i) {
				t.Error(r, err)
			}
		}
		becomesEmpty(t, q)
		t.Log(sizes)
		cancel()
		wg.Wait()
	})
}

func TestCancelSmoke(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		id := send(t, q, "ready")
		if ok, err := q.Cancel(t.Context(), id); !ok || err != nil {
			t.Error(ok, err)
		}
		started := make(chan string, 1)
		cause := make(chan error, 1)
		consume(t, q, func(ctx context.Context, m *leanmq.Message) error {
			_ = m.Progress(ctx, "half")
			started <- m.ID
			<-ctx.Done()
			cause <- context.Cause(ctx)
			return ctx.Err()
		})
		send(t, q, "running")
		id = receive(t, "start", started)
		fl, err := q.InFlight(t.Context(), 10)
		if err != nil || len(fl) != 1 || fl[0].Progress != "half" {
			t.Error(fl, err)
		}
		if _, err := open(t, url).Queue("q").Cancel(t.Context(), id); err != nil {
			t.Error(err)
		}
		if err := receive(t, "cause", cause); !errors.Is(err, leanmq.ErrCanceled) {
			t.Error(err)
		}
		becomesEmpty(t, q)
		u1 := send(t, q, "u", leanmq.Unique("k"), leanmq.Delay(time.Hour))
		if dup, err := q.Send(t.Context(), nil, leanmq.Unique("k")); !errors.Is(err, leanmq.ErrDuplicate) || dup != u1 {
			t.Error(dup, err, u1)
		}
	})
}
