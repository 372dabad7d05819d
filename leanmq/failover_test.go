package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

// ledger notes what was sent and handled.
type ledger struct {
	mu         sync.Mutex
	safe       map[string]bool // acknowledged and replicated
	handled    map[string]int
	unexpected []error
	sent       atomic.Int64
}

func newLedger() *ledger { return &ledger{safe: map[string]bool{}, handled: map[string]int{}} }

func (l *ledger) handle(_ context.Context, m *leanmq.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handled[string(m.Payload)]++
	return nil
}

// load sends to the queues until stop is called, with an error that is not of those
// that an outage may cause noted down.
func (l *ledger) load(t *testing.T, queues []*leanmq.Queue, opts ...leanmq.SendOption) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i, q := range queues {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				payload := fmt.Sprintf("%d.%d", i, n)
				_, err := q.Send(context.Background(), []byte(payload), opts...)
				l.mu.Lock()
				switch {
				case err == nil:
					l.safe[payload] = true
					l.sent.Add(1)
				case errors.Is(err, leanmq.ErrUnavailable), errors.Is(err, leanmq.ErrNotReplicated):
				default:
					l.unexpected = append(l.unexpected, err)
				}
				l.mu.Unlock()
				time.Sleep(time.Millisecond)
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}

// grows waits until so many more were sent.
func (l *ledger) grows(t *testing.T, n int64) {
	t.Helper()
	to := l.sent.Load() + n
	within(t, 60*time.Second, "sends are acknowledged", func() bool { return l.sent.Load() >= to })
}

// settled checks that all that is safe was handled.
func (l *ledger) settled(t *testing.T) {
	t.Helper()
	missing := func() (n int, one string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for payload := range l.safe {
			if l.handled[payload] == 0 {
				n, one = n+1, payload
			}
		}
		return n, one
	}
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		n, one := missing()
		if n == 0 {
			break
		}
		if time.Since(begin) > 60*time.Second {
			t.Fatalf("%d of %d acknowledged messages were not handled, %s for one", n, len(l.safe), one)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	twice := 0
	for _, n := range l.handled {
		if n > 1 {
			twice++
		}
	}
	t.Logf("%d messages, %d handled more than once", len(l.safe), twice)
	if len(l.unexpected) > 0 {
		t.Errorf("%d sends failed in another way: %v", len(l.unexpected), l.unexpected[0])
	}
}

// Every master of a cluster has a queue, or several; one of them dies under load.
func TestClusterOutlivesAMaster(t *testing.T) {
	t.Parallel()
	cluster := redistest.Cluster(t)
	var log testkit.Log
	sender, worker := open(t, cluster.URL()), open(t, cluster.URL(), leanmq.Logger(zerolog.New(&log)))
	l := newLedger()
	var queues []*leanmq.Queue
	for i := range 6 {
		name := fmt.Sprint("jobs", i)
		queues = append(queues, sender.Queue(name))
		consume(t, worker.Queue(name), l.handle, leanmq.Lease(2*time.Second))
	}
	stop := l.load(t, queues, leanmq.Replicas(1, time.Second))
	l.grows(t, 500)
	dead := cluster.Master("leanmq:{jobs0}:jobs0")
	dead.Kill()
	within(t, 60*time.Second, "a replica takes over", func() bool {
		_, err := queues[0].Send(t.Context(), []byte("0.again"))
		return err == nil
	})
	// There is nobody left to replicate to for the queues of that master.
	dead.Start()
	cluster.WaitHealthy()
	l.grows(t, 500)
	stop()
	l.settled(t)
	// One for the readers, all of which the cluster is down for, and one for each
	// queue's settler.
	outageLog(t, log.String(), 1)
}

// The roles change in order, under load: nobody has to notice.
func TestClusterFailoverIsHidden(t *testing.T) {
	t.Parallel()
	cluster := redistest.Cluster(t)
	sender, worker := open(t, cluster.URL()), open(t, cluster.URL())
	l := newLedger()
	q := sender.Queue("jobs")
	consume(t, worker.Queue("jobs"), l.handle, leanmq.Lease(2*time.Second))
	stop := l.load(t, []*leanmq.Queue{q, q, q})
	for range 2 {
		l.grows(t, 200)
		cluster.Failover("leanmq:{jobs}:jobs")
		cluster.WaitHealthy()
	}
	l.grows(t, 200)
	stop()
	l.settled(t)
}

// The slot of a queue goes from master to master while all of its features are used.
func TestReshardingIsHidden(t *testing.T) {
	t.Parallel()
	cluster := redistest.Cluster(t)
	var log testkit.Log
	sender, worker := open(t, cluster.URL()), open(t, cluster.URL(), leanmq.Logger(zerolog.New(&log)))
	l := newLedger()
	q := sender.Queue("jobs")
	consume(t, worker.Queue("jobs"), func(ctx context.Context, m *leanmq.Message) error {
		if m.Header.Get("fail") != "" && m.Attempt == 1 {
			return errors.New("at the first attempt")
		}
		return l.handle(ctx, m)
	}, quick)
	var failed atomic.Int64
	var first atomic.Value
	kinds := [][]leanmq.SendOption{
		nil,
		{leanmq.OrderingKey("k")},
		{leanmq.Delay(5 * time.Millisecond)},
		{leanmq.WithHeader("fail", "once")},
		{leanmq.UniqueFor("nothing else", time.Millisecond), leanmq.KeepResult(time.Second)},
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i, opts := range kinds {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				payload := fmt.Sprintf("%d.%d", i, n)
				_, err := q.Send(context.Background(), []byte(payload), opts...)
				switch {
				case err == nil:
					l.mu.Lock()
					l.safe[payload] = true
					l.mu.Unlock()
					l.sent.Add(1)
				case !errors.Is(err, leanmq.ErrDuplicate):
					failed.Add(1)
					first.CompareAndSwap(nil, err.Error())
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	for range 4 {
		l.grows(t, 200)
		pause := 50 * time.Millisecond // the slot takes its time, at the beginning
		cluster.Move("leanmq:{jobs}:jobs", func() {
			time.Sleep(pause)
			pause /= 2
		})
	}
	l.grows(t, 200)
	cancel()
	wg.Wait()
	l.settled(t)
	if n := failed.Load(); n > 0 {
		t.Errorf("%d sends noticed: %v", n, first.Load())
	}
	becomesEmpty(t, q)
	if strings.Contains(log.String(), `"what":`) {
		t.Errorf("the worker noticed:\n%s", log.String())
	}
}

func TestSentinelFailoverLosesNothingReplicated(t *testing.T) {
	t.Parallel()
	s := redistest.Sentinel(t)
	var log testkit.Log
	sender, worker := open(t, s.URL()), open(t, s.URL(), leanmq.Logger(zerolog.New(&log)))
	l := newLedger()
	q := sender.Queue("jobs")
	consume(t, worker.Queue("jobs"), l.handle, leanmq.Lease(2*time.Second))
	// Both replicas: whichever takes over has it.
	stop := l.load(t, []*leanmq.Queue{q, q}, leanmq.Replicas(2, time.Second))
	l.grows(t, 300)
	dead := s.Master()
	dead.Kill()
	within(t, 60*time.Second, "a replica takes over", func() bool {
		_, err := q.Send(t.Context(), []byte("again"))
		return err == nil
	})
	dead.Start()
	s.WaitHealthy()
	l.grows(t, 300)
	stop()
	l.settled(t)
	outageLog(t, log.String(), 1)
}
