package leanmq_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

// ownedBy is how many messages are pending for a consumer.
func ownedBy(t *testing.T, c redis.UniversalClient, consumer string) int64 {
	t.Helper()
	p, err := c.XPending(t.Context(), "leanmq:{jobs}:jobs", "leanmq").Result()
	if err != nil {
		t.Fatal(err)
	}
	return p.Consumers[consumer]
}

// prefetching makes a consumer hold messages behind a handler that blocks: fast
// messages first, so that it prefetches, then the one that blocks, then the rest.
func prefetching(t *testing.T, q *leanmq.Queue) (c *testkit.Running, finish chan struct{}) {
	t.Helper()
	running, finish := make(chan struct{}), make(chan struct{})
	var fast atomic.Int64
	c = consume(t, q, func(_ context.Context, m *leanmq.Message) error {
		if strings.HasPrefix(string(m.Payload), "block") {
			close(running)
			<-finish
			return nil
		}
		fast.Add(1)
		return nil
	}, leanmq.Concurrency(1), leanmq.Lease(time.Hour))
	if _, err := q.SendMany(t.Context(), make([][]byte, 300)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the fast ones are done", func() bool { return fast.Load() == 300 })
	eventually(t, "they are settled", func() bool { return info(t, q).InFlight <= 1 })
	batch := [][]byte{[]byte("block")}
	for i := range 30 {
		batch = append(batch, []byte(fmt.Sprint("held ", i)))
	}
	if _, err := q.SendMany(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	receive(t, "the slow handler runs", running)
	eventually(t, "the consumer holds what is behind it", func() bool { return info(t, q).Ready == 0 })
	return c, finish
}

func TestPrefetchedMessagesAreHandedBackAtOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		c, finish := prefetching(t, q)
		defer close(finish)
		var got record
		consume(t, open(t, url).Queue("jobs"), got.done, leanmq.Lease(time.Hour))
		begin := time.Now()
		c.Cancel() // the slow handler goes on
		for _, m := range got.wait(t, 30) {
			if m.Deliveries != 1 || m.Attempt != 1 || !strings.HasPrefix(m.Payload, "held") {
				t.Errorf("%+v", m)
			}
			if took := m.At.Sub(begin); took > 15*time.Second {
				t.Errorf("%s came after %v", m.Payload, took)
			}
		}
		eventually(t, "only the slow one is in flight", func() bool { i := info(t, q); return i.InFlight == 1 && i.Ready == 0 })
	})
}

func TestHandedBackMessagesReachAConsumerThatComesLater(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		c, finish := prefetching(t, q)
		c.Cancel()
		raw := rawClient(t, url)
		eventually(t, "they are handed back", func() bool { return ownedBy(t, raw, "released") == 30 })
		close(finish)
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
		var got record
		begin := time.Now()
		later := consume(t, open(t, url).Queue("jobs"), got.done, leanmq.Lease(time.Hour))
		for _, m := range got.wait(t, 30) {
			if m.Deliveries != 1 || m.Attempt != 1 || m.At.Sub(begin) > 15*time.Second {
				t.Errorf("after %v: %+v", m.At.Sub(begin), m)
			}
		}
		becomesEmpty(t, q)
		if err := later.Stop(); err != nil {
			t.Error(err)
		}
		if i := info(t, q); i.Consumers != 0 {
			t.Errorf("consumers are left behind: %+v", i)
		}
	})
}

// Whoever has no room when something is handed back takes it when there is.
func TestHandedBackMessagesReachAConsumerThatWasBusy(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		var got record
		running, finish := make(chan struct{}), make(chan struct{})
		var once sync.Once
		consume(t, open(t, url).Queue("jobs"), func(_ context.Context, m *leanmq.Message) error {
			if string(m.Payload) == "busy" {
				once.Do(func() { close(running) })
				<-finish
			}
			got.add(m)
			return nil
		}, leanmq.Concurrency(1), leanmq.Lease(time.Hour))
		send(t, q, "busy")
		receive(t, "the other consumer is busy", running)

		c, finishFirst := prefetching(t, q)
		c.Cancel()
		raw := rawClient(t, url)
		eventually(t, "they are handed back", func() bool { return ownedBy(t, raw, "released") == 30 })
		close(finishFirst)
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
		close(finish)
		begin := time.Now()
		for _, m := range got.wait(t, 31) {
			if took := m.At.Sub(begin); took > 15*time.Second {
				t.Errorf("%s came after %v", m.Payload, took)
			}
		}
		becomesEmpty(t, q)
	})
}
