package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// gauge counts handlers that run at once.
type gauge struct {
	mu            sync.Mutex
	running, most int
	starts        []time.Time
}

func (g *gauge) during(d time.Duration) leanmq.Handler {
	return func(context.Context, *leanmq.Message) error {
		g.mu.Lock()
		g.running++
		g.most = max(g.most, g.running)
		g.starts = append(g.starts, time.Now())
		g.mu.Unlock()
		time.Sleep(d)
		g.mu.Lock()
		g.running--
		g.mu.Unlock()
		return nil
	}
}

func (g *gauge) seen() (most, n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.most, len(g.starts)
}

func TestRunningLimitHoldsForAllProcesses(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		sendMany(t, q, 40)
		sendLevels(t, q, 10, leanmq.Urgent, leanmq.Low)
		var g gauge
		for range 3 {
			consume(t, open(t, url).Queue("q"), g.during(2*time.Millisecond),
				leanmq.LimitTo(leanmq.Limits{Running: 2}))
		}
		p := newPuller(t, open(t, url).Queue("q"))
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			ms, err := p.Receive(ctx, 100)
			cancel()
			if err != nil && !errors.Is(err, context.DeadlineExceeded) || len(ms) > 2 {
				t.Fatalf("%d messages at once, %v", len(ms), err)
			}
			for _, m := range ms {
				_ = g.during(time.Millisecond)(t.Context(), m.Message)
				if err := m.Done(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}
		becomesEmpty(t, q)
		if most, n := g.seen(); most > 2 || n != 60 {
			t.Errorf("%d ran at once, %d in all; want at most 2, and 60", most, n)
		}
	})
}

// What a worker that died had counts until its lease has run out, and then one that
// takes it over has it: never more than the limit.
func TestRunningLimitCountsWhatADeadWorkerHad(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const lease = 500 * time.Millisecond
		q := open(t, url).Queue("q")
		if err := q.SetLimits(t.Context(), leanmq.Limits{Running: 3}); err != nil {
			t.Fatal(err)
		}
		sendMany(t, q, 20)
		dead := newPuller(t, open(t, url).Queue("q"))
		begin := time.Now()
		if ms, err := dead.Receive(t.Context(), 10); err != nil || len(ms) != 3 {
			t.Fatal(ms, err)
		}
		var g gauge
		consume(t, q, g.during(5*time.Millisecond), leanmq.Lease(lease))
		becomesEmpty(t, q)
		most, n := g.seen()
		if most > 3 || n != 20 {
			t.Errorf("%d ran at once, %d in all", most, n)
		}
		if first := g.starts[0].Sub(begin); first < lease-50*time.Millisecond {
			t.Errorf("the first one ran %v after those that count, whose lease is %v", first, lease)
		}
	})
}

// What was handed back, and what was fetched before there was a limit, keeps to it.
func TestRunningLimitHoldsForWhatIsHandedBack(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		sendMany(t, q, 20)
		sendMany(t, q, 20, leanmq.Priority(leanmq.High))
		p, err := open(t, url).Queue("q").Puller()
		if err != nil {
			t.Fatal(err)
		}
		if ms, err := p.Receive(t.Context(), 30); err != nil || len(ms) != 30 {
			t.Fatal(len(ms), err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		var g gauge
		for range 2 {
			consume(t, open(t, url).Queue("q"), g.during(2*time.Millisecond), leanmq.LimitTo(leanmq.Limits{Running: 2}))
		}
		becomesEmpty(t, q)
		if most, n := g.seen(); most > 2 || n != 40 {
			t.Errorf("%d ran at once, %d in all; want at most 2, and 40", most, n)
		}
	})
}

// Never are more messages handed out than Burst + Rate·t, by however many processes.
func TestRateHoldsForAllProcesses(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const n, rate, burst = 60, 200, 10
		q := open(t, url).Queue("q")
		sendMany(t, q, n-10)
		sendLevels(t, q, 5, leanmq.Urgent, leanmq.Low)
		var g gauge
		begin := time.Now()
		for range 3 {
			consume(t, open(t, url).Queue("q"), g.during(0),
				leanmq.LimitTo(leanmq.Limits{Rate: rate / 2, Per: 500 * time.Millisecond, Burst: burst}))
		}
		becomesEmpty(t, q)
		g.mu.Lock()
		defer g.mu.Unlock()
		if len(g.starts) != n {
			t.Errorf("%d were handled", len(g.starts))
		}
		slices.SortFunc(g.starts, time.Time.Compare)
		for k, at := range g.starts {
			// The k-th handler starts no sooner than the k-th message is taken.
			if soonest := time.Duration(k+1-burst) * time.Second / rate; at.Sub(begin) < soonest {
				t.Fatalf("message %d after %v, want %v or more", k+1, at.Sub(begin), soonest)
			}
		}
		if took := g.starts[n-1].Sub(begin); took > 10*time.Second {
			t.Errorf("all took %v: the rate is hardly used", took)
		}
	})
}

// Retries are handed out again and count again.
func TestRateCountsRetries(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		sendMany(t, q, 10)
		begin := time.Now()
		var got record
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			got.add(m)
			if m.Attempt < 3 {
				return leanmq.RetryAfter(0, nil)
			}
			return nil
		}, leanmq.LimitTo(leanmq.Limits{Rate: 100}))
		got.wait(t, 30)
		if took := time.Since(begin); took < 290*time.Millisecond {
			t.Errorf("30 attempts took %v at 100 a second", took)
		}
		becomesEmpty(t, q)
	})
}

// Limits that are set, changed and lifted while consumers run lose nothing and
// double nothing.
func TestLimitsChangeWhileConsumersRun(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		var got record
		for range 2 {
			consume(t, open(t, url).Queue("q"), got.done, leanmq.Concurrency(4))
		}
		stop := make(chan struct{})
		var sender sync.WaitGroup
		sent := 0
		sender.Go(func() {
			for ; ; sent++ {
				select {
				case <-stop:
					return
				case <-time.After(200 * time.Microsecond):
				}
				if _, err := q.Send(context.Background(), fmt.Append(nil, sent)); err != nil {
					t.Error(err)
				}
			}
		})
		for i := range 30 {
			l := leanmq.Limits{}
			if i%2 == 0 {
				l = leanmq.Limits{Running: 1 + i%5, Rate: 1000 * (i % 3)}
			}
			if err := q.SetLimits(t.Context(), l); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		close(stop)
		sender.Wait()
		becomesEmpty(t, q)
		times := map[string]int{}
		for _, m := range got.list() {
			times[m.Payload]++
			if m.Deliveries != 1 {
				t.Errorf("%+v", m)
			}
		}
		for i := range sent {
			if n := times[fmt.Sprint(i)]; n != 1 {
				t.Errorf("message %d was handled %d times", i, n)
			}
		}
	})
}

// A slow rate does not hold up the faster one that replaces it.
func TestNewRateCountsFromNow(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		var got record
		consume(t, q, got.done, leanmq.LimitTo(leanmq.Limits{Rate: 1, Per: time.Hour}))
		sendMany(t, q, 5)
		got.wait(t, 1)
		if l, err := q.Limits(t.Context()); err != nil || l != (leanmq.Limits{Rate: 1, Per: time.Hour, Burst: 1}) {
			t.Errorf("%+v, %v", l, err)
		}
		if err := q.SetLimits(t.Context(), leanmq.Limits{Rate: 100}); err != nil {
			t.Fatal(err)
		}
		got.wait(t, 5)
		becomesEmpty(t, q)
	})
}

// A consumer that names limits sets them again when Redis has lost them.
func TestLimitsOutliveAFlush(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		want := leanmq.Limits{Running: 1}
		var g gauge
		consume(t, q, g.during(5*time.Millisecond), leanmq.LimitTo(want), leanmq.Lease(300*time.Millisecond))
		sendMany(t, q, 3)
		becomesEmpty(t, q)
		if err := rawClient(t, url).FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		sendMany(t, q, 20)
		eventually(t, "the limits are back", func() bool {
			l, err := q.Limits(t.Context())
			return err == nil && l == want
		})
		becomesEmpty(t, q)
		if most, n := g.seen(); most > 1 || n != 23 {
			t.Errorf("%d ran at once, %d in all", most, n)
		}
	})
}

func TestLimitBounds(t *testing.T) {
	q := open(t, "mem://").Queue("q")
	for _, tt := range []struct {
		field string
		l     leanmq.Limits
	}{
		{"Running", leanmq.Limits{Running: -1}},
		{"Running", leanmq.Limits{Running: 1_000_001}},
		{"Rate", leanmq.Limits{Rate: -1}},
		{"Burst", leanmq.Limits{Rate: 1, Burst: -1}},
		{"Per", leanmq.Limits{Rate: 1, Per: -time.Second}},
		{"Per", leanmq.Limits{Rate: 1, Per: time.Microsecond}},
		{"Per", leanmq.Limits{Rate: 1, Per: 25 * time.Hour}},
		{"Per", leanmq.Limits{Running: 1, Per: time.Second}},
		{"Burst", leanmq.Limits{Burst: 2}},
	} {
		isInvalid(t, q.SetLimits(t.Context(), tt.l), tt.field)
		err := q.Consume(t.Context(), func(context.Context, *leanmq.Message) error { return nil }, leanmq.LimitTo(tt.l))
		isInvalid(t, err, tt.field)
		if tt.l.Rate == 0 && tt.field != "Running" && !strings.Contains(fmt.Sprint(err), "Rate") {
			t.Errorf("%v does not name both", err)
		}
	}
	if l, err := q.Limits(t.Context()); err != nil || l != (leanmq.Limits{}) {
		t.Errorf("%+v, %v", l, err)
	}
}
