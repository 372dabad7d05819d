package eventstore_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
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
func worker() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go func() { // it shall not outlive the test
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ledger, err := os.Create(filepath.Join(os.Getenv(ledgerEnv), strconv.Itoa(os.Getpid())))
	if err != nil {
		return fail(err)
	}
	mq, err := leanmq.Open(ctx, os.Getenv(workerEnv))
	switch {
	case ctx.Err() != nil: // it was asked to end before it began
		return 0
	case err != nil:
		return fail(err)
	}
	err = eventstore.New(mq, "bank").Project(ctx, "balances", func(_ context.Context, ev *eventstore.Event, commit *eventstore.Commit) error {
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
	if err != nil {
		return fail(err)
	}
	if err := mq.Close(); err != nil {
		return fail(err)
	}
	return 0
}

func startWorker(t *testing.T, url, ledger string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), workerEnv+"="+url, ledgerEnv+"="+ledger)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// Processes that run a projection are killed in the middle of their work. What they write
// with their commits is right to the cent; what their handlers saw was every event, each
// owner's in order.
func TestKilledProjectionsCountEveryEventOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	ledger := t.TempDir()
	s := eventstore.New(open(t, server.URL()), "bank")
	c := rawClient(t, server.URL())
	balances, versions := map[string]int{}, map[string]int{}
	workers := map[int]*exec.Cmd{} // by pid
	begin := func() {
		w := startWorker(t, server.URL(), ledger)
		workers[w.Process.Pid] = w
	}
	t.Cleanup(func() {
		for _, w := range workers {
			_ = w.Process.Kill()
			_ = w.Wait()
		}
	})
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
		_ = workers[pid].Process.Kill()
		_ = workers[pid].Wait()
		delete(workers, pid)
		begin()
	}
	caughtUp(t, s, "balances", total)
	for pid, w := range workers {
		eventually(t, "the process listens to signals", func() bool { // its ledger comes after that
			_, err := os.Stat(filepath.Join(ledger, strconv.Itoa(pid)))
			return err == nil
		})
		if err := w.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
	}
	for pid, w := range workers {
		if err := w.Wait(); err != nil {
			t.Errorf("a process that was asked to end: %v", err)
		}
		delete(workers, pid)
	}
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
func checkLedger(t *testing.T, dir string, versions map[string]int) (again int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		last := map[string]int{} // by fence and aggregate
		for in := bufio.NewScanner(f); in.Scan(); {
			var fence, version int
			var id string
			if n, err := fmt.Sscan(in.Text(), &fence, &id, &version); n != 3 {
				t.Fatalf("%s: %q: %v", name, in.Text(), err)
			}
			owner := fmt.Sprint(fence, id)
			if l := last[owner]; l != 0 && version != l+1 {
				t.Errorf("owner %d got %s/%d after %d", fence, id, version, l)
			}
			last[owner] = version
			seen[fmt.Sprint(id, "/", version)]++
		}
		_ = f.Close()
	}
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
