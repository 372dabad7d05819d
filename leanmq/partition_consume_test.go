package leanmq_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

func consumePartitions(t testing.TB, q *leanmq.PartitionedQueue, h leanmq.Handler, opts ...leanmq.ConsumeOption) *testkit.Running {
	t.Helper()
	return testkit.Start(t, "Consume", func(ctx context.Context) error { return q.Consume(ctx, h, opts...) })
}

func partitionsBecomeEmpty(t testing.TB, q *leanmq.PartitionedQueue) {
	t.Helper()
	empty := 0
	within(t, time.Minute, "the partitions are empty", func() bool {
		i := partitions(t, q)
		if i.Ready+i.InFlight+i.Scheduled+i.Blocked > 0 {
			empty = 0
		} else {
			empty++
		}
		return empty == 3 // a message that moves while they are counted is missed
	})
}

// Concurrency counts all partitions of a process together, and they take turns.
func TestPartitionsShareTheWorkers(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const n, concurrency = 4, 3
		mq := open(t, url)
		q := mq.Partitioned("jobs", n)
		if _, err := q.SendMany(t.Context(), numbers(100*n)); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		running, most, order := 0, 0, []string{}
		begin := make(chan struct{})
		c := consumePartitions(t, q, func(_ context.Context, m *leanmq.Message) error {
			mu.Lock()
			running++
			most = max(most, running)
			order = append(order, m.Queue)
			mu.Unlock()
			<-begin
			time.Sleep(3 * time.Millisecond)
			mu.Lock()
			running--
			mu.Unlock()
			return nil
		}, leanmq.Concurrency(concurrency))
		eventually(t, "there are messages of all partitions", func() bool {
			for _, p := range partitions(t, q).Partitions {
				if p.InFlight < concurrency {
					return false
				}
			}
			return true
		})
		close(begin)
		partitionsBecomeEmpty(t, q)
		mu.Lock()
		if most != concurrency || len(order) != 100*n {
			t.Errorf("%d at once, %d handled, want %d and %d", most, len(order), concurrency, 100*n)
		}
		for _, p := range q.Partitions() {
			had := 0
			for _, name := range order[:100] {
				if name == p.Name() {
					had++
				}
			}
			if had < 10 { // one that is slow to be read may miss some
				t.Errorf("%s had %d of 100 turns", p.Name(), had)
			}
		}
		most = 0
		mu.Unlock()
		// One that is busy alone has all workers.
		sendMany(t, q.Partition("x"), 50)
		eventually(t, "all workers at one partition", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return most == concurrency
		})
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestPartitionsAreConsumedOnce(t *testing.T) {
	mq := open(t, "mem://")
	q := mq.Partitioned("jobs", 3)
	var r record
	c := consumePartitions(t, q, r.done)
	send(t, q, "x")
	r.wait(t, 1)
	if err := mq.Partitioned("jobs", 3).Consume(t.Context(), r.done); !errors.Is(err, leanmq.ErrConsuming) {
		t.Errorf("a second Consume: %v", err)
	}
	eventually(t, "all are consumed", func() bool { return partitions(t, q).Consumers == 1 })
	if err := q.Partitions()[1].Consume(t.Context(), r.done); !errors.Is(err, leanmq.ErrConsuming) {
		t.Errorf("of a partition: %v", err)
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	consume(t, q.Partitions()[1], r.done)
	eventually(t, "a partition is consumed apart", func() bool { return info(t, q.Partitions()[1]).Consumers == 1 })
	var where *leanmq.Error
	if err := q.Consume(t.Context(), r.done); !errors.Is(err, leanmq.ErrConsuming) || !errors.As(err, &where) || where.Queue != "jobs" {
		t.Errorf("beside that: %v", err)
	}
}

func TestDrainTimeoutOfPartitions(t *testing.T) {
	mq := open(t, "mem://")
	q := mq.Partitioned("jobs", 3)
	begun := make(chan struct{}, 1)
	c := consumePartitions(t, q, func(ctx context.Context, _ *leanmq.Message) error {
		begun <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}, leanmq.DrainTimeout(10*time.Millisecond))
	send(t, q, "x")
	receive(t, "the handler begins", begun)
	if err := c.Stop(); !errors.Is(err, leanmq.ErrDrainTimeout) {
		t.Errorf("got %v", err)
	}
	if i := partitions(t, q); i.Ready != 1 || len(i.Members) != 0 {
		t.Errorf("%+v", i)
	}
}

// All is lost: the members find each other again, and go on.
func TestPartitionsAfterFlush(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const n = 4
		var s shares
		var r record
		q := open(t, url).Partitioned("jobs", n)
		for i := range 2 {
			consumePartitions(t, open(t, url, s.member(i)).Partitioned("jobs", n), r.done)
		}
		eventually(t, "equal shares", func() bool { return s.even(2, n) })
		flush(t, url)
		if _, err := q.SendMany(t.Context(), numbers(20)); err != nil {
			t.Fatal(err)
		}
		r.wait(t, 20)
		eventually(t, "equal shares again", func() bool { return len(partitions(t, q).Members) == 2 && s.even(2, n) })
		_, err := open(t, url).Partitioned("jobs", 5).Send(t.Context(), nil)
		isInvalidPartitions(t, err)
	})
}

// flush takes all there is from a store of any kind.
func flush(t testing.TB, url string) {
	t.Helper()
	one := func(ctx context.Context, c *redis.Client) error { return c.FlushAll(ctx).Err() }
	var err error
	switch c := redistest.Client(t, url).(type) {
	case *redis.ClusterClient:
		err = c.ForEachMaster(t.Context(), one)
	case *redis.Client:
		err = one(t.Context(), c)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func isInvalidPartitions(t testing.TB, err error) {
	t.Helper()
	var wrong *leanmq.PartitionsError
	if !errors.As(err, &wrong) {
		t.Errorf("got %v, want a PartitionsError", err)
	}
}

// However many partitions a process has, it waits for all of them on one connection.
func TestPartitionsBlockOneConnection(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	q := open(t, server.URL()).Partitioned("jobs", 12)
	var r record
	consumePartitions(t, q, r.done)
	if _, err := q.SendMany(t.Context(), numbers(24)); err != nil {
		t.Fatal(err)
	}
	r.wait(t, 24)
	c := rawClient(t, server.URL())
	eventually(t, "it waits", func() bool {
		clients := c.Info(t.Context(), "clients").Val()
		if !strings.Contains(clients, "blocked_clients:0") && !strings.Contains(clients, "blocked_clients:1\r") {
			t.Fatal(clients)
		}
		return strings.Contains(clients, "blocked_clients:1\r")
	})
}
