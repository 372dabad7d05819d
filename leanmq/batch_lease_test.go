package leanmq_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestLeasesOfABatchAreRenewedWhileItRuns(t *testing.T) {
	inBubble(t, func(t *testing.T, open func() *leanmq.Client) {
		mq, other := open(), open()
		defer func() { _, _ = mq.Close(), other.Close() }()
		var runs atomic.Int64
		slow := func(ctx context.Context, b []*leanmq.Message) []error {
			runs.Add(int64(len(b)))
			time.Sleep(2 * time.Minute) // four leases
			if ctx.Err() != nil {
				t.Error(context.Cause(ctx))
			}
			return nil
		}
		ctx, stop := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		for _, c := range []*leanmq.Client{mq, other} {
			wg.Go(func() {
				if err := c.Queue("q").ConsumeBatches(ctx, 600, 5*time.Second, slow); err != nil {
					t.Error(err)
				}
			})
		}
		sendMany(t, mq.Queue("q"), 20)
		time.Sleep(3 * time.Minute)
		stop()
		wg.Wait()
		if n := runs.Load(); n != 20 {
			t.Errorf("%d messages were handled, want each of 20 once", n)
		}
	})
}

// What happens to one message of a batch does not touch the others.
func TestBatchOutlivesTheLossOfSomeOfItsMessages(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		began, goOn := make(chan bool, 1), make(chan bool)
		cause := make(chan error, 1)
		mq := open(t, url)
		consumeBatches(t, mq.Queue("q"), 4, time.Hour, func(ctx context.Context, b []*leanmq.Message) []error {
			began <- true
			<-goOn
			cause <- context.Cause(ctx)
			errs := make([]error, len(b))
			for i := range errs {
				errs[i] = leanmq.Reject(errors.New("rejected"))
			}
			return errs
		}, leanmq.Lease(300*time.Millisecond), leanmq.Concurrency(1))
		lost := send(t, q, "lost")
		send(t, q, "canceled", leanmq.ID("canceled"))
		send(t, q, "expires", leanmq.ID("expires"), leanmq.TTL(time.Second))
		send(t, q, "stays", leanmq.ID("stays"))
		receive(t, "a batch", began)
		raw := rawClient(t, url)
		if err := raw.XDel(t.Context(), "leanmq:{q}:q", lost).Err(); err != nil {
			t.Fatal(err)
		}
		if err := raw.XAck(t.Context(), "leanmq:{q}:q", "leanmq", lost).Err(); err != nil {
			t.Fatal(err)
		}
		cancel(t, q, "canceled", false)
		time.Sleep(2100 * time.Millisecond) // the time to live of one, and several renewals
		close(goOn)
		if err := receive(t, "the batch's context", cause); err != nil {
			t.Errorf("it ended: %v", err)
		}
		eventually(t, "nothing is left", func() bool {
			i := info(t, q)
			return i.Ready+i.InFlight+i.Scheduled == 0 && i.Canceled == 1
		})
		for _, letter := range deadLetters(t, q) {
			if letter.Message.ID != "stays" {
				t.Errorf("dead: %s", letter.Message.ID)
			}
		}
		if n := info(t, q).Dead; n != 1 {
			t.Errorf("%d dead", n)
		}
	})
}

func TestContextOfABatchEndsWithItsLastMessage(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		began := make(chan bool, 1)
		cause := make(chan error, 1)
		consumeBatches(t, open(t, url).Queue("q"), 2, time.Hour, func(ctx context.Context, b []*leanmq.Message) []error {
			began <- true
			<-ctx.Done()
			cause <- context.Cause(ctx)
			return []error{ctx.Err(), ctx.Err()}
		})
		send(t, q, "1", leanmq.ID("1"))
		send(t, q, "2", leanmq.ID("2"))
		receive(t, "a batch", began)
		cancel(t, q, "1", false)
		select {
		case err := <-cause:
			t.Fatalf("it ended with the first of them: %v", err)
		case <-time.After(100 * time.Millisecond): // there is nothing to wait for
		}
		cancel(t, q, "2", false)
		if err := receive(t, "the batch's context", cause); !errors.Is(err, leanmq.ErrCanceled) {
			t.Error(err)
		}
		becomesEmpty(t, q)
	})
}
