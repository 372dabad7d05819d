package leanmq_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
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
