package leanmq_test

import (
	"context"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

func TestKilledMembersKeepTheOrder(t *testing.T) {
	t.Parallel()
	const n = 5
	server := redistest.Server(t)
	q := open(t, server.URL()).Partitioned("jobs", n)
	state := func() leanmq.QueueInfo { return partitions(t, q).QueueInfo }
	keepTheOrder(t, server.URL(), "jobs", n, state, func(_ int, payload []byte, opts ...leanmq.SendOption) error {
		_, err := q.Send(context.Background(), payload, opts...)
		return err
	})
	for _, p := range q.Partitions() {
		nothingIsLeft(t, server.URL(), p.Name())
	}
}

// Nobody takes the partitions of a member that is killed until its time is over.
func TestPartitionsOfAKilledMember(t *testing.T) {
	t.Parallel()
	const n = 4
	server := redistest.Server(t)
	ledger := testkit.Ledger(t.TempDir())
	q := open(t, server.URL()).Partitioned("jobs", n)
	w := startOrderWorker(t, server.URL(), "jobs", n, ledger)
	eventually(t, "it has all partitions", func() bool { return partitions(t, q).Consumers == 1 })

	var s shares
	var r record
	consumePartitions(t, open(t, server.URL(), s.member(1)).Partitioned("jobs", n), r.done, leanmq.Lease(orderLease))
	eventually(t, "it has half of them", func() bool { return len(s.of(1)) == n/2 })
	w.Kill()
	if _, err := q.SendMany(t.Context(), numbers(10*n)); err != nil {
		t.Fatal(err)
	}
	r.wait(t, 10*n)
	if got := len(s.of(1)); got != n {
		t.Errorf("it handled all with %d of %d partitions", got, n)
	}
	if members := partitions(t, q).Members; len(members) != 1 {
		t.Errorf("members: %q", members)
	}
}
