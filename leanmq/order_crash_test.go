package leanmq_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/mqtest"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

// As in crash_test.go, with messages that have ordering keys.
const (
	orderWorkerEnv = "LEANMQ_ORDER_WORKER"
	orderQueueEnv  = "LEANMQ_ORDER_QUEUE"
	orderPartsEnv  = "LEANMQ_ORDER_PARTITIONS" // unless it is 0
	orderLease     = 2 * time.Second           // a loaded machine must not let it lapse
)

// orderWorker notes when each message begins and ends.
func orderWorker(ctx context.Context) error {
	ledger, err := testkit.Ledger(os.Getenv(crashLedgerEnv)).Open()
	if err != nil {
		return err
	}
	defer ledger.Close()
	return mqtest.Work(ctx, os.Getenv(orderWorkerEnv), func(mq *leanmq.Client) error {
		consume := mq.Queue(os.Getenv(orderQueueEnv)).Consume
		if n, _ := strconv.Atoi(os.Getenv(orderPartsEnv)); n > 0 {
			consume = mq.Partitioned(os.Getenv(orderQueueEnv), n).Consume
		}
		return consume(ctx, func(_ context.Context, m *leanmq.Message) error {
			write := func(what string) {
				fmt.Fprintf(ledger, "%d %s %s %s\n", time.Now().UnixNano(), what, m.Header.Get("key"), m.Payload)
			}
			write("begin")
			defer write("end")
			time.Sleep(rand.N(6 * time.Millisecond))
			if rand.N(20) == 0 {
				return errors.New("again")
			}
			return nil
		}, leanmq.Concurrency(4), leanmq.Lease(orderLease), leanmq.MaxDeliveries(1000), patient)
	})
}

// orderEvent is a line of a ledger.
type orderEvent struct {
	at        int64
	what, key string
	n, pid    int
}

func orderEvents(t *testing.T, ledger testkit.Ledger) (events []orderEvent) {
	t.Helper()
	ledger.Each(t, func(pid int, line string) {
		e := orderEvent{pid: pid}
		if n, err := fmt.Sscan(line, &e.at, &e.what, &e.key, &e.n); n != 4 {
			t.Errorf("%q: %v", line, err)
			return
		}
		events = append(events, e)
	})
	slices.SortStableFunc(events, func(a, b orderEvent) int { return cmp.Compare(a.at, b.at) })
	return events
}

func TestKilledWorkersKeepTheOrder(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	q := open(t, server.URL()).Queue("jobs")
	levels := []leanmq.Level{leanmq.Low, leanmq.Normal, leanmq.High}
	state := func() leanmq.QueueInfo { return info(t, q) }
	keepTheOrder(t, server.URL(), q.Name(), 0, state, func(key int, payload []byte, opts ...leanmq.SendOption) error {
		_, err := q.Send(context.Background(), payload, append(opts, leanmq.Priority(levels[key%len(levels)]))...)
		return err
	})
	nothingIsLeft(t, server.URL(), "jobs")
}

// As those of a queue do the consumers of a topic's group.
func TestKilledWorkersOfAGroupKeepTheOrder(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	topic := open(t, server.URL()).Topic("s:jobs")
	q := topic.Group("g").Queue()
	state := func() leanmq.QueueInfo { return info(t, q) }
	keepTheOrder(t, server.URL(), q.Name(), 0, state, func(_ int, payload []byte, opts ...leanmq.SendOption) error {
		_, err := topic.Publish(context.Background(), payload, opts...)
		return err
	})
	g := topicInfo(t, topic).Groups[0]
	if g.Lag+g.InFlight+g.Scheduled+g.Blocked+g.Dead > 0 {
		t.Errorf("left: %+v", g)
	}
}

func startOrderWorker(t *testing.T, url, queue string, partitions int, ledger testkit.Ledger) *testkit.Child {
	t.Helper()
	return testkit.Spawn(t, orderWorkerEnv+"="+url, orderQueueEnv+"="+queue,
		orderPartsEnv+"="+strconv.Itoa(partitions), crashLedgerEnv+"="+string(ledger))
}

// keepTheOrder kills workers of a queue, with partitions or without, while messages
// with ordering keys are sent, and checks that those with the same key are handled
// one after another.
func keepTheOrder(t *testing.T, url, queue string, partitions int, left func() leanmq.QueueInfo,
	send func(key int, payload []byte, opts ...leanmq.SendOption) error,
) {
	t.Helper()
	ledger := testkit.Ledger(t.TempDir())
	start := func() *testkit.Child { return startOrderWorker(t, url, queue, partitions, ledger) }
	const processes, crashes, keys = 3, 8, 10
	var workers []*testkit.Child
	for range processes {
		workers = append(workers, start())
	}
	sent := 0
	stop := make(chan struct{})
	var sender sync.WaitGroup
	sender.Go(func() {
		for ; ; sent++ {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			for key := range keys {
				name := fmt.Sprint("k", key)
				if err := send(key, []byte(strconv.Itoa(sent)), leanmq.OrderingKey(name), leanmq.WithHeader("key", name)); err != nil {
					t.Error(err)
				}
			}
		}
	})
	works := func(w *testkit.Child) {
		eventually(t, "the worker works", func() bool { return ledger.Size(w) > 500 })
	}
	killed := map[int]bool{}
	met := false // a handler
	for n := 0; n < crashes || !met && n < 20*crashes; n++ {
		i := rand.IntN(processes)
		works(workers[i])
		time.Sleep(rand.N(50 * time.Millisecond)) // the moment is random, not waited for
		workers[i].Kill()
		met = met || cutOff(t, ledger, workers[i])
		killed[workers[i].Pid()] = true
		workers[i] = start()
	}
	for _, w := range workers {
		works(w)
	}
	close(stop)
	sender.Wait()
	within(t, time.Minute, "the queue is empty", func() bool {
		i := left()
		return i.Ready+i.InFlight+i.Scheduled+i.Blocked == 0
	})
	for _, w := range workers {
		ledger.End(t, w)
	}

	// Of each key one message runs at a time, and the next one begins only after the
	// one before it has ended, or its worker was killed.
	type state struct {
		last    int
		running *orderEvent
	}
	now := map[string]*state{}
	cut, repeated := 0, 0
	for _, e := range orderEvents(t, ledger) {
		s := now[e.key]
		if s == nil {
			s = &state{last: -1}
			now[e.key] = s
		}
		if e.what == "end" {
			s.running = nil
			continue
		}
		if s.running != nil {
			cut++
			if !killed[s.running.pid] {
				t.Errorf("key %s: message %d began while %d ran", e.key, e.n, s.running.n)
			}
		}
		switch e.n {
		case s.last:
			repeated++
		case s.last + 1:
			s.last = e.n
		default:
			t.Errorf("key %s: message %d came after %d", e.key, e.n, s.last)
			s.last = e.n
		}
		s.running = &e
	}
	for key, s := range now {
		if s.last != sent-1 {
			t.Errorf("key %s ended with message %d of %d", key, s.last, sent)
		}
	}
	if len(now) != keys || cut == 0 && partitions == 0 { // with some, a worker may have none yet
		t.Errorf("%d keys, %d messages cut off: the test showed nothing", len(now), cut)
	}
	t.Logf("%d messages, %d cut off, %d run again", keys*sent, cut, repeated)
}
