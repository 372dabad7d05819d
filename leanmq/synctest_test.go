package leanmq_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

func TestLeaseIsRenewedWhileTheHandlerRuns(t *testing.T) {
	inBubble(t, func(t *testing.T, open func() *leanmq.Client) {
		mq, other := open(), open()
		defer func() { _, _ = mq.Close(), other.Close() }()
		var runs []int
		var mu sync.Mutex
		slow := func(ctx context.Context, m *leanmq.Message) error {
			mu.Lock()
			runs = append(runs, m.Deliveries)
			mu.Unlock()
			time.Sleep(2 * time.Minute) // four leases
			return ctx.Err()
		}
		stop := consumeIn(t, mq.Queue("q"), slow)
		stopOther := consumeIn(t, other.Queue("q"), slow)
		if _, err := mq.Queue("q").Send(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		stop()
		stopOther()
		if len(runs) != 1 || runs[0] != 1 {
			t.Errorf("deliveries were %v, want one", runs)
		}
		if info, _ := mq.Queue("q").Info(t.Context()); info.Ready+info.InFlight+info.Scheduled+info.Dead != 0 {
			t.Errorf("left behind: %+v", info)
		}
	})
}

func TestMessageOfAWorkerThatIsGoneIsTakenOverAfterTheLease(t *testing.T) {
	inBubble(t, func(t *testing.T, open func() *leanmq.Client) {
		gone, mq := open(), open()
		defer func() { _, _ = mq.Close(), gone.Close() }()
		if _, err := mq.Queue("q").Send(t.Context(), []byte("x")); err != nil {
			t.Fatal(err)
		}
		// A puller renews nothing: to the others it is a worker that died.
		puller, err := gone.Queue("q").Puller()
		if err != nil {
			t.Fatal(err)
		}
		pulled, err := puller.Receive(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		taken := make(chan *leanmq.Message, 1)
		stop := consumeIn(t, mq.Queue("q"), func(_ context.Context, m *leanmq.Message) error {
			taken <- m
			return nil
		})
		m := <-taken
		if took := time.Since(start); took < 30*time.Second || took > 41*time.Second {
			t.Errorf("taken over after %v, want the lease of 30s and up to a third of it", took)
		}
		if m.Attempt != 1 || m.Deliveries != 2 {
			t.Errorf("attempt %d, deliveries %d: want 1 and 2", m.Attempt, m.Deliveries)
		}
		synctest.Wait()
		if err := pulled[0].Done(t.Context()); !errors.Is(err, leanmq.ErrLeaseLost) {
			t.Errorf("the first worker settled what it had lost: %v", err)
		}
		stop()
		_ = puller.Close()
	})
}

func TestDefaultRetriesBackOffWithinTheirCeilings(t *testing.T) {
	inBubble(t, func(t *testing.T, open func() *leanmq.Client) {
		mq := open()
		defer func() { _ = mq.Close() }()
		q := mq.Queue("q")
		var at []time.Time
		stop := consumeIn(t, q, func(_ context.Context, m *leanmq.Message) error {
			at = append(at, time.Now())
			if m.Attempt != len(at) {
				t.Errorf("run %d is attempt %d", len(at), m.Attempt)
			}
			return errors.New("not today")
		})
		if _, err := q.Send(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(18 * time.Minute) // all ceilings together
		stop()
		if len(at) != 10 {
			t.Fatalf("%d attempts, want the default of 10", len(at))
		}
		ceiling := time.Second
		for i := 1; i < len(at); i++ {
			if d := at[i].Sub(at[i-1]); d > ceiling+50*time.Millisecond {
				t.Errorf("attempt %d came %v after the one before, want at most %v", i+1, d, ceiling)
			}
			ceiling = min(2*ceiling, 10*time.Minute)
		}
		if info, _ := q.Info(t.Context()); info.Dead != 1 {
			t.Errorf("after the last attempt: %+v, want one dead letter", info)
		}
	})
}

func TestDelayIsNeverEarlyAndHardlyLate(t *testing.T) {
	inBubble(t, func(t *testing.T, open func() *leanmq.Client) {
		mq, sender := open(), open()
		defer func() { _, _ = mq.Close(), sender.Close() }()
		start := time.Now()
		arrived := map[string]time.Duration{}
		stop := consumeIn(t, mq.Queue("q"), func(_ context.Context, m *leanmq.Message) error {
			arrived[m.ID] = time.Since(start)
			return nil
		}, leanmq.Concurrency(1))
		synctest.Wait()
		start = time.Now()
		delays := []time.Duration{5 * time.Minute, 90 * time.Second, 30 * time.Second, 1500 * time.Millisecond, 20 * time.Millisecond}
		for _, d := range delays { // each one due before those sent earlier
			if _, err := sender.Queue("q").Send(t.Context(), nil, leanmq.Delay(d), leanmq.ID(d.String())); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(6 * time.Minute)
		stop()
		for _, d := range delays {
			switch late := arrived[d.String()] - d; {
			case arrived[d.String()] == 0:
				t.Errorf("delay %v never arrived", d)
			case late < 0:
				t.Errorf("delay %v was %v early", d, -late)
			case late > 10*time.Millisecond:
				t.Errorf("delay %v was %v late", d, late)
			}
		}
	})
}

func TestIDIsRememberedForTheWindow(t *testing.T) {
	inBubble(t, func(t *testing.T, open func() *leanmq.Client) {
		mq := open()
		defer func() { _ = mq.Close() }()
		send := func() error {
			_, err := mq.Queue("q").Send(t.Context(), nil, leanmq.ID("once"))
			return err
		}
		if err := send(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5*time.Minute - time.Second)
		if err := send(); !errors.Is(err, leanmq.ErrDuplicate) {
			t.Errorf("within 5 minutes: %v, want ErrDuplicate", err)
		}
		time.Sleep(2 * time.Second)
		if err := send(); err != nil {
			t.Errorf("after 5 minutes: %v", err)
		}
	})
}

func TestRequestEndsAtItsDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, open func() *leanmq.Client) {
		mq := open()
		defer func() { _ = mq.Close() }()
		cause := make(chan error, 1)
		stop := consumeIn(t, mq.Queue("q"), func(ctx context.Context, _ *leanmq.Message) error {
			<-ctx.Done()
			cause <- context.Cause(ctx)
			return ctx.Err()
		})
		inbox, err := mq.OpenInbox(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err = inbox.Request(t.Context(), mq.Queue("q"), nil)
		if !errors.Is(err, leanmq.ErrNoReply) {
			t.Errorf("got %v, want ErrNoReply", err)
		}
		if took := time.Since(start); took != leanmq.DefaultRequestTimeout {
			t.Errorf("ended after %v, want %v", took, leanmq.DefaultRequestTimeout)
		}
		if err := <-cause; !errors.Is(err, leanmq.ErrExpired) {
			t.Errorf("the handler's context ended with %v, want ErrExpired", err)
		}
		_ = inbox.Close()
		stop()
	})
}

func TestDrainTimeoutCancelsHandlersAndHandsBack(t *testing.T) {
	inBubble(t, func(t *testing.T, open func() *leanmq.Client) {
		mq := open()
		defer func() { _ = mq.Close() }()
		q := mq.Queue("q")
		if _, err := q.Send(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		running := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- q.Consume(ctx, func(ctx context.Context, _ *leanmq.Message) error {
				close(running)
				<-ctx.Done()
				return ctx.Err()
			})
		}()
		<-running
		start := time.Now()
		cancel()
		if err := <-ended; !errors.Is(err, leanmq.ErrDrainTimeout) {
			t.Errorf("Consume returned %v, want ErrDrainTimeout", err)
		}
		if took := time.Since(start); took < 25*time.Second || took > 26*time.Second {
			t.Errorf("drained for %v, want the default of 25s", took)
		}
		// Handed back: the next worker has it at once, as a first delivery.
		got := make(chan *leanmq.Message, 1)
		again := time.Now()
		stop := consumeIn(t, q, func(_ context.Context, m *leanmq.Message) error {
			got <- m
			return nil
		})
		m := <-got
		if m.Attempt != 1 || m.Deliveries != 1 || time.Since(again) > time.Second {
			t.Errorf("attempt %d, deliveries %d after %v: want 1, 1 and at once", m.Attempt, m.Deliveries, time.Since(again))
		}
		stop()
	})
}
