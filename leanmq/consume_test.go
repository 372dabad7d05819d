package leanmq_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

func TestConsumeCanBeRepeated(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		for n := range 5 {
			var got record
			c := consume(t, q, got.done)
			send(t, q, fmt.Sprint(n))
			if m := got.wait(t, 1)[0]; m.Payload != fmt.Sprint(n) {
				t.Errorf("%+v", m)
			}
			if err := c.Stop(); err != nil {
				t.Error(err)
			}
			if i := info(t, q); i != (leanmq.QueueInfo{Name: "jobs"}) {
				t.Errorf("%+v", i)
			}
		}
	})
}

func TestConsumeWithAnEndedContextReturns(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		send(t, q, "x")
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		for range 3 {
			err := q.Consume(ctx, func(context.Context, *leanmq.Message) error {
				t.Error("a handler runs")
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}
		if i := info(t, q); i.Ready != 1 || i.Consumers != 0 {
			t.Errorf("%+v", i)
		}
	})
}

// Ending while messages stream in: none is lost, none stays behind.
func TestConsumersThatComeAndGoLoseNothing(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		var got record
		var wg sync.WaitGroup
		const n = 3000
		wg.Go(func() {
			for i := range n / 10 {
				batch := make([][]byte, 10)
				for j := range batch {
					batch[j] = []byte(fmt.Sprint(10*i + j))
				}
				if _, err := q.SendMany(context.Background(), batch); err != nil {
					t.Error(err)
				}
			}
		})
		for range 3 {
			mq := open(t, url)
			wg.Go(func() {
				// Longer and longer, so that a busy machine gets there too.
				stay := 30 * time.Millisecond
				for begin := time.Now(); got.count() < n && time.Since(begin) < 2*testkit.Patience; stay += 3 * time.Millisecond {
					ctx, cancel := context.WithTimeout(context.Background(), stay)
					if err := mq.Queue("jobs").Consume(ctx, got.done, leanmq.Lease(time.Hour)); err != nil {
						t.Error(err)
					}
					cancel()
				}
			})
		}
		wg.Wait()
		seen := map[string]int{}
		for _, m := range got.list() {
			seen[m.Payload]++
			if m.Deliveries != 1 {
				t.Errorf("%+v", m)
			}
		}
		if len(seen) != n || got.count() != n {
			t.Errorf("%d messages were handled %d times, %d were sent", len(seen), got.count(), n)
		}
		becomesEmpty(t, q)
		if i := info(t, q); i.Consumers != 0 {
			t.Errorf("%+v", i)
		}
	})
}

// The context may end while the consumer is still joining the group.
func TestConsumerThatEndsWhileItJoinsLeavesTheGroup(t *testing.T) {
	server := redistest.Server(t)
	q := open(t, server.URL()).Queue("jobs")
	for n := range 300 {
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Duration(n)*2*time.Microsecond, cancel)
		if err := q.Consume(ctx, new(record).done); err != nil {
			t.Error(err)
		}
		cancel()
		if i := info(t, q); i.Consumers != 0 {
			t.Fatalf("round %d: %+v", n, i)
		}
	}
}
