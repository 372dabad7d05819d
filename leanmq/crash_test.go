package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/mqtest"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

// The test binary runs itself as worker processes, with the server's URL and the
// ledger's directory in these variables.
const (
	crashWorkerEnv = "LEANMQ_CRASH_WORKER"
	crashLedgerEnv = "LEANMQ_CRASH_LEDGER"
)

const (
	crashConcurrency = 8
	crashWork        = 10 * time.Millisecond
	crashLease       = time.Second
	// crashHeld bounds what a worker holds: as many messages as it has workers,
	// and as much again as they do within the prefetch time, which is crashWork.
	crashHeld = 2 * crashConcurrency
)

// crashWorker consumes until it is interrupted, or killed. Its ledger is a file of
// its own, written before and after each message: not the Redis under test.
func crashWorker(ctx context.Context) error {
	ledger, err := testkit.Ledger(os.Getenv(crashLedgerEnv)).Open()
	if err != nil {
		return err
	}
	defer ledger.Close()
	var mu sync.Mutex
	write := func(what string, m *leanmq.Message) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(ledger, "%s %s %d %d\n", what, m.Payload, m.Attempt, m.Deliveries)
	}
	return mqtest.Work(ctx, os.Getenv(crashWorkerEnv), func(mq *leanmq.Client) error {
		return mq.Queue("jobs").Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
			write("begin", m)
			time.Sleep(crashWork)
			if strings.HasSuffix(string(m.Payload), "7") && m.Attempt == 1 {
				write("failed", m)
				return errors.New("not at the first attempt")
			}
			write("done", m)
			return nil
		}, leanmq.Concurrency(crashConcurrency), leanmq.Lease(crashLease), leanmq.MaxDeliveries(1000), quick)
	})
}

func startCrashWorker(t *testing.T, url string, ledger testkit.Ledger) *testkit.Child {
	t.Helper()
	return testkit.Spawn(t, crashWorkerEnv+"="+url, crashLedgerEnv+"="+string(ledger))
}

// cutOff reports whether a killed process was in the middle of a handler, which writes a
// line when it begins and one when it ends.
func cutOff(t *testing.T, ledger testkit.Ledger, w *testkit.Child) bool {
	t.Helper()
	text := ledger.Text(t, w)
	return 2*strings.Count(text, "begin") > strings.Count(text, "\n")
}

// ledgerLine is what a worker wrote.
type ledgerLine struct {
	what, payload       string
	attempt, deliveries int
}

func readLedger(t *testing.T, ledger testkit.Ledger) (lines []ledgerLine) {
	t.Helper()
	ledger.Each(t, func(_ int, line string) {
		var l ledgerLine
		if n, err := fmt.Sscan(line, &l.what, &l.payload, &l.attempt, &l.deliveries); n != 4 {
			t.Errorf("%q: %v", line, err)
			return
		}
		lines = append(lines, l)
	})
	return lines
}

func TestKilledWorkersLoseNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	ledger := testkit.Ledger(t.TempDir())
	mq := open(t, server.URL())
	q := mq.Queue("jobs")

	const processes, crashes = 3, 12
	var workers []*testkit.Child
	for range processes {
		workers = append(workers, startCrashWorker(t, server.URL(), ledger))
	}

	accepted := map[string]bool{}
	stop := make(chan struct{})
	var sender sync.WaitGroup
	sender.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
			payload := strconv.Itoa(n)
			var opts []leanmq.SendOption
			if n%5 == 0 {
				opts = append(opts, leanmq.Delay(time.Duration(n%100)*time.Millisecond))
			}
			if _, err := q.Send(context.Background(), []byte(payload), opts...); err != nil {
				t.Error(err)
				continue
			}
			accepted[payload] = true
		}
	})
	// Every crash meets a worker that has messages in hand, and one at least a handler.
	met, killed := false, 0
	for ; killed < crashes || !met && killed < 20*crashes; killed++ {
		i := rand.IntN(processes)
		eventually(t, "the worker works", func() bool { return ledger.Size(workers[i]) > 100 })
		time.Sleep(rand.N(250 * time.Millisecond)) // the moment is random, not waited for
		workers[i].Kill()
		met = met || cutOff(t, ledger, workers[i])
		workers[i] = startCrashWorker(t, server.URL(), ledger)
	}
	close(stop)
	sender.Wait()
	becomesEmpty(t, q)
	ledger.End(t, workers...)

	done, begun := map[string]int{}, map[ledgerLine]int{}
	redelivered := 0
	for _, l := range readLedger(t, ledger) {
		switch l.what {
		case "done":
			done[l.payload]++
		case "begin":
			begun[l]++
			if l.deliveries > 1 {
				redelivered++
			}
		}
	}
	lost, duplicates := 0, 0
	for payload := range accepted {
		if done[payload] == 0 {
			lost++
		}
		duplicates += max(done[payload]-1, 0)
	}
	if lost > 0 {
		t.Errorf("%d of %d accepted messages were never handled", lost, len(accepted))
	}
	if most := killed * crashHeld; duplicates > most {
		t.Errorf("%d duplicates after %d crashes, want at most %d", duplicates, killed, most)
	}
	if redelivered == 0 {
		t.Error("no crash met a running handler: the test showed nothing")
	}
	for payload := range done {
		if !accepted[payload] {
			t.Errorf("%s was never sent", payload)
		}
	}
	for l, n := range begun {
		if n > 1 {
			t.Errorf("message %s was handed out %d times as delivery %d of attempt %d", l.payload, n, l.deliveries, l.attempt)
		}
	}

	// Nothing is left but the dead consumers, and those only until they are reaped.
	if i := info(t, q); int(i.Consumers) > killed {
		t.Errorf("%+v after %d crashes", i, killed)
	}
	sq, err := mq.Store().Queue("jobs")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the dead consumers are reaped", func() bool {
		if _, err := sq.Reap(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
		return info(t, q).Consumers == 0
	})
	keys := rawClient(t, server.URL()).Keys(t.Context(), "*").Val()
	slices.Sort(keys)
	if !slices.Equal(keys, []string{"leanmq:queues", "leanmq:{jobs}:jobs"}) {
		t.Errorf("keys: %v", keys)
	}
	t.Logf("%d messages, %d redeliveries, %d duplicates", len(accepted), redelivered, duplicates)
}
