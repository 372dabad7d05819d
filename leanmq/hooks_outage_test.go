package leanmq_test

import (
	"context"
	"slices"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestHooksTellOfOutages(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	var o observer
	mq := open(t, server.URL(), leanmq.Observe(o.hooks()))
	var got record
	consume(t, mq.Queue("jobs"), got.done)
	openInbox(t, mq)
	send(t, mq.Queue("jobs"), "before")
	got.wait(t, 1)
	becomesEmpty(t, mq.Queue("jobs")) // or the settler tells of the outage as well
	told := func(over bool) (whats []string) {
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, i := range o.outages {
			if (i.Err == nil) == over && (i.Lasted > 0) == over {
				whats = append(whats, i.What+i.Queue)
			}
		}
		slices.Sort(whats)
		return whats
	}
	server.Stop()
	late := consume(t, mq.Queue("late"), got.done)
	want := []string{"joinlate", "read", "replies"}
	eventually(t, "the outage is told", func() bool { return slices.Equal(told(false), want) })
	if n := told(true); n != nil {
		t.Errorf("its end is told already: %v", n)
	}
	server.Start()
	eventually(t, "its end is told", func() bool { return slices.Equal(told(true), want) })
	if n := told(false); !slices.Equal(n, want) {
		t.Errorf("beginnings told: %v", n)
	}
	if err := late.Stop(); err != nil {
		t.Error(err)
	}
}

// Work that cannot be settled before the drain is over is done again, and said to
// be.
func TestHooksTellWhatCouldNotBeSettled(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	var o observer
	q := open(t, server.URL(), leanmq.Observe(o.hooks())).Queue("jobs")
	running, finish := make(chan struct{}), make(chan struct{})
	c := consume(t, q, func(context.Context, *leanmq.Message) error {
		close(running)
		<-finish
		return nil
	})
	send(t, q, "x")
	receive(t, "the handler runs", running)
	server.Stop()
	close(finish)
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	o.is(t, map[string]int{"handed back": 1})
}
