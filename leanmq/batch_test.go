package leanmq_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

// consumeBatches is consume for batches.
func consumeBatches(t testing.TB, q *leanmq.Queue, size int, wait time.Duration, h leanmq.BatchHandler, opts ...leanmq.ConsumeOption) *testkit.Running {
	t.Helper()
	return testkit.Start(t, "ConsumeBatches", func(ctx context.Context) error { return q.ConsumeBatches(ctx, size, wait, h, opts...) })
}

// batchRecord notes the batches that a handler sees.
type batchRecord struct {
	record
	sizes []int
}

func (r *batchRecord) done(_ context.Context, batch []*leanmq.Message) []error {
	r.note(batch)
	return nil
}

func (r *batchRecord) note(batch []*leanmq.Message) {
	for _, m := range batch {
		r.add(m)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sizes = append(r.sizes, len(batch))
}

func (r *batchRecord) batches() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.sizes)
}

func TestBatchIsHandledWhenItIsFull(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		var got batchRecord
		consumeBatches(t, open(t, url).Queue("q"), 5, time.Hour, got.done, leanmq.Concurrency(2))
		sendMany(t, q, 3)
		eventually(t, "it collects", func() bool { return info(t, q).InFlight == 3 })
		if got.count() != 0 {
			t.Error("a batch was handled before it was full")
		}
		sendMany(t, q, 12)
		got.wait(t, 15)
		if b := got.batches(); !slices.Equal(b, []int{5, 5, 5}) {
			t.Errorf("batches of %v", b)
		}
		becomesEmpty(t, q)
	})
}

func TestBatchIsHandledWhenItsTimeIsUp(t *testing.T) {
	inBubble(t, func(t *testing.T, open func() *leanmq.Client) {
		mq := open()
		defer func() { _ = mq.Close() }()
		q := mq.Queue("q")
		type batch struct {
			n     int
			after time.Duration
		}
		var mu sync.Mutex
		var got []batch
		start := time.Now()
		ctx, stop := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() {
			err := q.ConsumeBatches(ctx, 100, 10*time.Second, func(_ context.Context, b []*leanmq.Message) []error {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, batch{len(b), time.Since(start)})
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		start = time.Now()
		for range 3 { // at 0, 4 s and 8 s; what comes at 12 s is too late
			sendMany(t, q, 2)
			time.Sleep(4 * time.Second)
		}
		sendMany(t, q, 1)
		time.Sleep(time.Minute)
		stop()
		wg.Wait()
		if len(got) != 2 || got[0].n != 6 || got[1].n != 1 {
			t.Fatalf("batches: %v", got)
		}
		for i, want := range []time.Duration{10 * time.Second, 22 * time.Second} {
			if late := got[i].after - want; late < 0 || late > 100*time.Millisecond {
				t.Errorf("batch %d came after %v, want %v", i, got[i].after, want)
			}
		}
	})
}

func TestBatchWithoutWaitingIsWhatIsThere(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		var got batchRecord
		began, goOn := make(chan bool, 1), make(chan bool)
		var once sync.Once
		consumeBatches(t, open(t, url).Queue("q"), 10, 0, func(ctx context.Context, b []*leanmq.Message) []error {
			once.Do(func() {
				began <- true
				<-goOn
			})
			return got.done(ctx, b)
		}, leanmq.Concurrency(1))
		send(t, q, "alone")
		receive(t, "a batch of what is there", began)
		sendMany(t, q, 12)
		eventually(t, "it holds what its workers can take", func() bool { return info(t, q).InFlight == 10 })
		close(goOn)
		got.wait(t, 13)
		becomesEmpty(t, q)
		if b := got.batches(); b[0] != 1 || slices.Max(b) > 10 || len(b) > 6 {
			t.Errorf("batches of %v", b)
		}
	})
}

func TestConsumerThatCollectsStopsAtOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		var got batchRecord
		var took []time.Duration
		sendMany(t, q, 3)
		for range 5 {
			c := consumeBatches(t, open(t, url).Queue("q"), 10, time.Hour, got.done)
			eventually(t, "it collects", func() bool { return info(t, q).InFlight == 3 })
			begin := time.Now()
			if err := c.Stop(); err != nil {
				t.Error(err)
			}
			took = append(took, time.Since(begin))
			if i := info(t, q); i.Ready != 3 || i.InFlight != 0 {
				t.Errorf("%+v, want 3 ready", i)
			}
		}
		if m := median(took); m > slack*50*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		consumeBatches(t, q, 3, time.Hour, got.done)
		for _, s := range got.wait(t, 3) {
			if s.Deliveries != 1 {
				t.Errorf("delivery %d", s.Deliveries)
			}
		}
	})
}

// The only worker there may be is the one that collects.
func TestBatchThatIsFullWaitsForNothing(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		var got batchRecord
		consumeBatches(t, q, 3, time.Hour, got.done, leanmq.Concurrency(1))
		for i := range int64(3) {
			eventually(t, "it collects", func() bool { return info(t, q).InFlight == i })
			send(t, q, "x")
		}
		got.wait(t, 3)
		becomesEmpty(t, q)
	})
}

func TestPauseEndsTheCollectingOfABatch(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		var got batchRecord
		consumeBatches(t, open(t, url).Queue("q"), 4, time.Hour, got.done)
		sendMany(t, q, 3)
		eventually(t, "it collects", func() bool { return info(t, q).InFlight == 3 })
		pause(t, q)
		eventually(t, "they are handed back", func() bool { return info(t, q).InFlight == 0 })
		send(t, q, "after them")
		time.Sleep(30 * time.Millisecond) // there is nothing to wait for
		if got.count() != 0 {
			t.Error("handled while paused")
		}
		resume(t, q)
		got.wait(t, 4)
		// One that is sent just now may come before those that are handed out again.
		b, p := got.batches(), slices.Sorted(slices.Values(got.payloads()))
		if !slices.Equal(b, []int{4}) || !slices.Equal(p, []string{"0", "1", "2", "after them"}) {
			t.Errorf("batches of %v: %q", b, p)
		}
		becomesEmpty(t, q)
	})
}

func TestTimeOfABatchBeginsAnewAfterAPause(t *testing.T) {
	inBubble(t, func(t *testing.T, open func() *leanmq.Client) {
		mq := open()
		defer func() { _ = mq.Close() }()
		q := mq.Queue("q")
		var after time.Duration
		ctx, stop := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		start := time.Now()
		wg.Go(func() {
			err := q.ConsumeBatches(ctx, 100, 10*time.Second, func(context.Context, []*leanmq.Message) []error {
				after = time.Since(start)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		sendMany(t, q, 3)
		time.Sleep(8 * time.Second)
		pause(t, q)
		time.Sleep(time.Second)
		resume(t, q)
		time.Sleep(time.Minute)
		stop()
		wg.Wait()
		if after < 19*time.Second || after > 20*time.Second {
			t.Errorf("it came after %v, want 10 s after the end of the pause", after)
		}
	})
}

func TestProcessHoldsAsManyMessagesAsItsBatchesTake(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		levels := []leanmq.Level{leanmq.Low, leanmq.Normal, leanmq.Urgent}
		for _, l := range levels {
			sendMany(t, q, 10, leanmq.Priority(l))
		}
		var running, most atomic.Int64
		goOn := make(chan bool)
		var got batchRecord
		consumeBatches(t, open(t, url).Queue("q"), 5, 10*time.Millisecond, func(ctx context.Context, b []*leanmq.Message) []error {
			n := running.Add(1)
			most.Store(max(n, most.Load()))
			<-goOn
			running.Add(-1)
			return got.done(ctx, b)
		}, leanmq.Concurrency(2))
		eventually(t, "both work", func() bool { return running.Load() == 2 })
		time.Sleep(100 * time.Millisecond) // there is nothing to wait for
		// More urgent ones come beside less urgent ones that are held.
		if n := info(t, q).InFlight; n < 10 || n > 3*10 {
			t.Errorf("%d in flight, want 10 for 2 workers, and no more of each level", n)
		}
		close(goOn)
		got.wait(t, 30)
		becomesEmpty(t, q)
		if most.Load() != 2 || slices.Max(got.batches()) > 5 {
			t.Errorf("%d at once, batches of %v", most.Load(), got.batches())
		}
	})
}

func TestConsumeBatchesRefuses(t *testing.T) {
	q := open(t, "mem://").Queue("q")
	h := func(context.Context, []*leanmq.Message) []error { return nil }
	for _, size := range []int{0, 10001} {
		isInvalid(t, q.ConsumeBatches(t.Context(), size, 0, h), "size")
	}
	for _, wait := range []time.Duration{-1, time.Hour + 1} {
		isInvalid(t, q.ConsumeBatches(t.Context(), 1, wait, h), "wait")
	}
	isInvalid(t, q.ConsumeBatches(t.Context(), 1, 0, nil), "handler")
	isInvalid(t, q.ConsumeBatches(t.Context(), 1, 0, h, leanmq.Concurrency(0)), "Concurrency")
}
