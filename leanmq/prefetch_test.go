package leanmq_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestSlowProcessDoesNotHoard(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		var slow, fast record
		release := make(chan struct{})
		consume(t, q, func(ctx context.Context, m *leanmq.Message) error {
			slow.add(m)
			if slow.count() > 6 {
				<-release
			}
			time.Sleep(30 * time.Millisecond) // work
			return nil
		}, leanmq.Concurrency(2))
		for range 6 { // it has learned how slow its handlers are
			send(t, q, "x")
		}
		slow.wait(t, 6)
		becomesEmpty(t, q)
		for range 40 {
			send(t, q, "x")
		}
		slow.wait(t, 8) // its two workers are busy
		if i := info(t, q); i.InFlight > 2 {
			t.Errorf("it holds %d messages for 2 workers", i.InFlight)
		}
		consume(t, open(t, url).Queue("jobs"), fast.done, leanmq.Concurrency(2))
		fast.wait(t, 38) // all that the slow one has not begun
		close(release)
		becomesEmpty(t, q)
		if n := slow.count() + fast.count(); n != 46 {
			t.Errorf("%d were handled, want 46", n)
		}
	})
}

func TestNoMoreHandlersRunThanAllowed(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		var running, most, handled atomic.Int64
		consume(t, q, func(context.Context, *leanmq.Message) error {
			n := running.Add(1)
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			time.Sleep(time.Millisecond) // work
			running.Add(-1)
			handled.Add(1)
			return nil
		}, leanmq.Concurrency(5))
		if _, err := q.SendMany(t.Context(), make([][]byte, 300)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "all are handled", func() bool { return handled.Load() == 300 })
		if n := most.Load(); n != 5 {
			t.Errorf("up to %d handlers ran at once, want 5", n)
		}
	})
}

// Whatever is held is renewed, also what waits behind a handler that has become
// slow all of a sudden.
func TestHeldMessagesKeepTheirLease(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const lease = time.Second
		q := open(t, url).Queue("jobs")
		var got, thief record
		block := make(chan struct{})
		handler := func(_ context.Context, m *leanmq.Message) error {
			got.add(m)
			if string(m.Payload) == "block" {
				<-block
			}
			return nil
		}
		consume(t, q, handler, leanmq.Concurrency(1), leanmq.Lease(lease))
		if _, err := q.SendMany(t.Context(), make([][]byte, 300)); err != nil {
			t.Fatal(err)
		}
		got.wait(t, 300)
		if _, err := q.SendMany(t.Context(), [][]byte{[]byte("block"), nil, nil, nil, nil, nil}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it holds what is behind the slow one", func() bool { i := info(t, q); return i.InFlight == 6 && i.Ready == 0 })
		consume(t, open(t, url).Queue("jobs"), thief.done, leanmq.Lease(lease))
		begin := time.Now()
		eventually(t, "three leases pass", func() bool { return time.Since(begin) > 3*lease })
		if n := thief.count(); n != 0 {
			t.Errorf("another one took %d of them", n)
		}
		close(block)
		becomesEmpty(t, q)
		for _, m := range got.list() {
			if m.Deliveries != 1 {
				t.Errorf("%+v", m)
			}
		}
	})
}
