package eventstore_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/mqtest"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/eventstore"
)

// The test binary runs itself as processes that project, with the server's URL and the
// ledger's directory in these variables.
const (
	workerEnv = "LEANMQ_PROJECTION_WORKER"
	ledgerEnv = "LEANMQ_PROJECTION_LEDGER"
)

// worker projects until it is interrupted, or killed. Its ledger is a file of its own: not
// the Redis under test.
func worker(ctx context.Context) error {
	ledger, err := testkit.Ledger(os.Getenv(ledgerEnv)).Open()
	if err != nil {
		return err
	}
	defer ledger.Close()
	return mqtest.Work(ctx, os.Getenv(workerEnv), func(mq *leanmq.Client) error {
		return eventstore.New(mq, "bank").Project(ctx, "balances", func(_ context.Context, ev *eventstore.Event, commit *eventstore.Commit) error {
			cents, err := eventstore.Decode[int](ev)
			if err != nil {
				return err
			}
			fmt.Fprintln(ledger, commit.Fence(), ev.Aggregate, ev.Version)
			commit.Do("HINCRBY", "{bank}:balances", ev.Aggregate, cents)
			commit.Do("HINCRBY", "{bank}:events", ev.Aggregate, 1)
			time.Sleep(time.Millisecond)
			return nil
		}, eventstore.Lease(400*time.Millisecond), eventstore.CommitEvery(7))
	})
}

func startWorker(t *testing.T, url string, ledger testkit.Ledger) *testkit.Child {
	t.Helper()
	return testkit.Spawn(t, workerEnv+"="+url, ledgerEnv+"="+string(ledger))
}

// Processes that run a projection are killed in the middle of their work. What they write
// with their commits is right to the cent; what their handlers saw was every event, each
// owner's in order.
func TestKilledProjectionsCountEveryEventOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	ledger := testkit.Ledger(t.TempDir())
	s := eventstore.New(open(t, server.URL()), "bank")
	c := rawClient(t, server.URL())
	balances, versions := map[string]int{}, map[string]int{}
	workers := map[int]*testkit.Child{} // by pid
	begin := func() {
		w := startWorker(t, server.URL(), ledger)
		workers[w.Pid()] = w
	}
	for range 3 {
		begin()
	}
	const crashes = 8
	total := int64(0)
	for range crashes {
		for range 30 {
			id, cents := fmt.Sprintf("account-%d", rand.IntN(5)), rand.IntN(1000)-300
			mustAppend(t, s, id, eventstore.Exactly(int64(versions[id])), event("moved", cents))
			balances[id] += cents
			versions[id]++
			total++
		}
		// Whoever runs it is killed, in the middle of what there is.
		var pid int
		eventually(t, "somebody runs it who lives", func() bool {
			owner := strings.Split(state(t, s, "balances").Owner, "-")
			if len(owner) < 3 {
				return false
			}
			pid, _ = strconv.Atoi(owner[len(owner)-2])
			return workers[pid] != nil
		})
		time.Sleep(rand.N(30 * time.Millisecond)) // the moment is random, not waited for
		workers[pid].Kill()
		delete(workers, pid)
		begin()
	}
	caughtUp(t, s, "balances", total)
	ledger.End(t, slices.Collect(maps.Values(workers))...)
	for id, want := range balances {
		got, counted := c.HGet(t.Context(), "{bank}:balances", id).Val(), c.HGet(t.Context(), "{bank}:events", id).Val()
		if got != strconv.Itoa(want) || counted != strconv.Itoa(versions[id]) {
			t.Errorf("%s has %s cents of %s events, want %d of %d", id, got, counted, want, versions[id])
		}
	}
	again := checkLedger(t, ledger, versions)
	t.Logf("%d events, %d handed out again after %d crashes", total, again, crashes)
}

// checkLedger checks that each aggregate's events were handed out all, and that each owner
// got them in order. It returns how many were handed out more than once.
func checkLedger(t *testing.T, ledger testkit.Ledger, versions map[string]int) (again int) {
	t.Helper()
	seen := map[string]int{}
	type owner struct {
		pid, fence int
		aggregate  string
	}
	last := map[owner]int{}
	ledger.Each(t, func(pid int, line string) {
		var fence, version int
		var id string
		if n, err := fmt.Sscan(line, &fence, &id, &version); n != 3 {
			t.Fatalf("%q: %v", line, err)
		}
		o := owner{pid, fence, id}
		if l := last[o]; l != 0 && version != l+1 {
			t.Errorf("owner %d got %s/%d after %d", fence, id, version, l)
		}
		last[o] = version
		seen[fmt.Sprint(id, "/", version)]++
	})
	for id, n := range versions {
		for v := range n {
			switch times := seen[fmt.Sprint(id, "/", v+1)]; {
			case times == 0:
				t.Errorf("%s/%d was never handed out", id, v+1)
			default:
				again += times - 1
			}
		}
	}
	return again
}
