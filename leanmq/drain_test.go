package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

func TestIdleConsumerStopsAtOnce(t *testing.T) {
	server := redistest.Server(t)
	mq := open(t, server.URL())
	var took []time.Duration
	for range 9 {
		var cs []*testkit.Running
		for i := range 20 {
			var got record
			q := mq.Queue(fmt.Sprint("q", i))
			cs = append(cs, consume(t, q, got.done))
			send(t, q, "x")
			got.wait(t, 1)
		}
		begin := time.Now()
		for _, c := range cs {
			c.Cancel()
		}
		for _, c := range cs {
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
		}
		took = append(took, time.Since(begin))
	}
	if m := median(took); m > slack*50*time.Millisecond {
		t.Errorf("20 idle consumers took %v to stop", took)
	}
}

// Each of them ends the read that all share; none may wait for the one after it.
func TestConsumersThatStopTogetherWaitForNoRead(t *testing.T) {
	server := redistest.Server(t)
	mq := open(t, server.URL())
	for round := range 100 {
		var cs []*testkit.Running
		for i := range 6 {
			cs = append(cs, consume(t, mq.Queue(fmt.Sprint("idle", i)), new(record).done))
		}
		var got record
		cs = append(cs, consume(t, mq.Queue("warm-up"), got.done))
		send(t, mq.Queue("warm-up"), "x")
		got.wait(t, 1)
		begin := time.Now()
		for i, c := range cs {
			c.Cancel()
			time.Sleep(time.Duration(i%2*i*7) * time.Microsecond) // they shall meet it at different moments
		}
		for _, c := range cs {
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(begin); took > 1900*time.Millisecond { // less than a blocked read takes
			t.Fatalf("round %d took %v", round, took)
		}
	}
}

// One of several that share a connection: its end must not wait for the others'
// messages, nor disturb them.
func TestOneOfSeveralConsumersStopsAtOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		idle, busy := mq.Queue("idle"), mq.Queue("busy")
		var fromIdle, fromBusy record
		consume(t, mq.Queue("also idle"), new(record).done)
		consume(t, busy, fromBusy.done)
		stopSending := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				select {
				case <-stopSending:
					return
				default:
					if _, err := busy.SendMany(context.Background(), make([][]byte, 20)); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
		var took []time.Duration
		for n := range 7 {
			c := consume(t, idle, fromIdle.done)
			send(t, idle, "x")
			fromIdle.wait(t, n+1)
			if n == 4 { // the rest of the rounds without traffic beside it
				close(stopSending)
				wg.Wait()
				becomesEmpty(t, busy)
			}
			begin := time.Now()
			if err := c.Stop(); err != nil {
				t.Error(err)
			}
			took = append(took, time.Since(begin))
		}
		for _, d := range took {
			if d > 1900*time.Millisecond { // less than a blocked read takes
				t.Errorf("it took %v to stop", took)
				break
			}
		}
		if i := info(t, idle); i.Consumers != 0 {
			t.Errorf("%+v", i)
		}
		n := fromBusy.count()
		send(t, busy, "x")
		fromBusy.wait(t, n+1)
	})
}

func TestRunningHandlerFinishesItsMessage(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		running, finish := make(chan struct{}), make(chan struct{})
		c := consume(t, q, func(ctx context.Context, _ *leanmq.Message) error {
			close(running)
			<-finish
			return ctx.Err() // it has not ended
		}, leanmq.Concurrency(1))
		send(t, q, "x")
		receive(t, "the handler runs", running)
		c.Cancel()
		select {
		case err := <-c.Result:
			t.Fatalf("Consume returned %v before its handler did", err)
		case <-time.After(100 * time.Millisecond):
		}
		send(t, q, "sent after the end began")
		close(finish)
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
		if i := info(t, q); i.Ready != 1 || i.InFlight+i.Dead+i.Scheduled != 0 || i.Consumers != 0 {
			t.Errorf("%+v, want only the second message", i)
		}
	})
}

func TestFailureDuringTheDrainIsSettled(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		running, finish := make(chan struct{}), make(chan struct{})
		c := consume(t, q, func(context.Context, *leanmq.Message) error {
			close(running)
			<-finish
			return leanmq.RetryAfter(time.Hour, errors.New("later"))
		})
		send(t, q, "x")
		receive(t, "the handler runs", running)
		c.Cancel()
		close(finish)
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
		if i := info(t, q); i.Scheduled != 1 || i.Ready+i.InFlight+i.Dead != 0 {
			t.Errorf("%+v", i)
		}
	})
}

func TestHandlersAreCancelledWhenTheDrainTakesTooLong(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		running, cause := make(chan struct{}, 3), make(chan error, 3)
		c := consume(t, q, func(ctx context.Context, m *leanmq.Message) error {
			running <- struct{}{}
			<-ctx.Done()
			cause <- context.Cause(ctx)
			if string(m.Payload) == "done" {
				return nil
			}
			return ctx.Err()
		}, leanmq.DrainTimeout(100*time.Millisecond), leanmq.Lease(time.Hour))
		for _, text := range []string{"a", "b", "done"} {
			send(t, q, text)
			receive(t, "a handler runs", running)
		}
		begin := time.Now()
		err := c.Stop()
		if took := time.Since(begin); took < 100*time.Millisecond || took > 10*time.Second {
			t.Errorf("the drain took %v, its limit was 100ms", took)
		}
		var where *leanmq.Error
		if !errors.Is(err, leanmq.ErrDrainTimeout) || !errors.As(err, &where) || where.Queue != "jobs" {
			t.Errorf("%v", err)
		}
		for range 3 {
			if err := receive(t, "a handler is told", cause); !errors.Is(err, leanmq.ErrDrainTimeout) {
				t.Errorf("%v", err)
			}
		}
		// Those that were interrupted go on elsewhere, at once and as if for the first time.
		var got record
		consume(t, q, got.done, leanmq.Lease(time.Hour))
		for _, m := range got.wait(t, 2) {
			if m.Deliveries != 1 || m.Attempt != 1 || m.Payload == "done" {
				t.Errorf("%+v", m)
			}
		}
		becomesEmpty(t, q)
	})
}

func TestDrainDoesNotWaitForAHandlerThatIgnoresItsContext(t *testing.T) {
	t.Parallel()
	url := redistest.Server(t).URL()
	q := open(t, url).Queue("jobs")
	running, finish, finished := make(chan struct{}), make(chan struct{}), make(chan struct{})
	c := consume(t, q, func(context.Context, *leanmq.Message) error {
		defer close(finished)
		close(running)
		<-finish
		return nil
	}, leanmq.DrainTimeout(50*time.Millisecond), leanmq.Lease(time.Hour))
	send(t, q, "x")
	receive(t, "the handler runs", running)
	begin := time.Now()
	if err := c.Stop(); !errors.Is(err, leanmq.ErrDrainTimeout) {
		t.Errorf("%v", err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the drain took %v", took)
	}
	var got record
	consume(t, open(t, url).Queue("jobs"), got.done, leanmq.Lease(time.Hour))
	got.wait(t, 1) // the message goes on without it
	close(finish)
	receive(t, "the handler returns", finished)
	becomesEmpty(t, q)
}
