package leanmq_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/mqtest"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

// The test binary runs itself as workers that move amounts between accounts, with the
// server's URL in this variable.
const txWorkerEnv = "LEANMQ_TX_WORKER"

// txWorker applies transfers, "from to amount", each in one transaction with its
// receipt.
func txWorker(ctx context.Context) error {
	return mqtest.Work(ctx, os.Getenv(txWorkerEnv), func(mq *leanmq.Client) error {
		receipts := mq.Queue("receipts")
		return mq.Queue("transfers").Consume(ctx, func(ctx context.Context, m *leanmq.Message) error {
			var from, to string
			var amount int
			if _, err := fmt.Sscan(string(m.Payload), &from, &to, &amount); err != nil {
				return leanmq.Reject(err)
			}
			time.Sleep(2 * time.Millisecond) // so that there is always one to be killed in
			return mq.Tx(ctx, func(tx *leanmq.Tx) error {
				tx.Do("HINCRBY", "balances", from, -amount)
				tx.Do("HINCRBY", "balances", to, amount)
				tx.Do("HINCRBY", "applied", m.ID, 1)
				tx.Send(receipts, []byte(m.ID))
				return tx.Done(m)
			})
		}, leanmq.Concurrency(8), leanmq.Lease(300*time.Millisecond), leanmq.MaxDeliveries(1000), patient)
	})
}

func startTxWorker(t *testing.T, url string) *testkit.Child {
	t.Helper()
	return testkit.Spawn(t, txWorkerEnv+"="+url)
}

// Workers that are killed in the middle of their work apply each message exactly once.
func TestKilledWorkersApplyEachTxOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	mq, raw := open(t, server.URL()), rawClient(t, server.URL())
	transfers, receipts := mq.Queue("transfers"), mq.Queue("receipts")
	const accounts, processes, crashes, each = 5, 2, 8, 300
	for i := range accounts {
		raw.HSet(t.Context(), "balances", strconv.Itoa(i), 1000)
	}
	var workers []*testkit.Child
	for range processes {
		workers = append(workers, startTxWorker(t, server.URL()))
	}
	want := map[int]int{}
	var ids []string
	transfer := func() {
		var payloads [][]byte
		for range each {
			from, to, amount := rand.IntN(accounts), rand.IntN(accounts), rand.IntN(100)
			want[from] -= amount
			want[to] += amount
			payloads = append(payloads, fmt.Appendf(nil, "%d %d %d", from, to, amount))
		}
		sent, err := transfers.SendMany(t.Context(), payloads)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, sent...)
	}
	applied := func() int64 { return raw.HLen(t.Context(), "applied").Val() }
	orphans := 0
	for i := 0; i < crashes || orphans == 0 && i < 20*crashes; i++ {
		// Every crash meets a worker that is at work: some of what it was just sent is
		// applied, and not all.
		before := applied()
		transfer()
		eventually(t, "the workers work", func() bool { return applied() > before })
		w := i % processes
		workers[w].Kill()
		orphans += int(info(t, transfers).InFlight)
		workers[w] = startTxWorker(t, server.URL())
	}
	within(t, 60*time.Second, "all is applied", func() bool {
		i := info(t, transfers)
		return i.Ready+i.InFlight+i.Scheduled == 0
	})
	for i := range accounts {
		got, err := raw.HGet(t.Context(), "balances", strconv.Itoa(i)).Int()
		if err != nil || got != 1000+want[i] {
			t.Errorf("account %d holds %d, %v, want %d", i, got, err, 1000+want[i])
		}
	}
	counts := raw.HGetAll(t.Context(), "applied").Val()
	for _, id := range ids {
		if counts[id] != "1" {
			t.Errorf("%s was applied %q times", id, counts[id])
		}
	}
	if i := info(t, receipts); int(i.Ready) != len(ids) {
		t.Errorf("%d receipts of %d transfers", i.Ready, len(ids))
	}
	seen := map[string]bool{}
	for m, err := range receipts.Waiting(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if id := string(m.Payload); seen[id] || !strings.Contains(id, "-") {
			t.Errorf("a second receipt for %s", id)
		} else {
			seen[id] = true
		}
	}
	t.Logf("%d transfers, %d crashes, %d messages in flight at them", len(ids), crashes, orphans)
	if orphans == 0 {
		t.Error("no crash met a message in flight: the test showed nothing")
	}
}
