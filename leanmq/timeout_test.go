package leanmq_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

// obeys is a handler that gives up when its context ends.
func obeys(ctx context.Context, _ *leanmq.Message) error {
	<-ctx.Done()
	return errors.New("gave up")
}

// Both bounds end the handler's context in time, and what it returns then is a
// failed attempt that says why.
func TestRunTimeIsBounded(t *testing.T) {
	for name, bound := range map[string]leanmq.ConsumeOption{
		"Timeout":    leanmq.Use(leanmq.Timeout(5 * time.Second)),
		"MaxRunTime": leanmq.MaxRunTime(5 * time.Second),
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, open func() *leanmq.Client) {
				mq := open()
				defer func() { _ = mq.Close() }()
				q := mq.Queue("q")
				var attempts []int
				stop := consumeIn(t, q, func(ctx context.Context, m *leanmq.Message) error {
					start := time.Now()
					err := obeys(ctx, m)
					if took := time.Since(start); took != 5*time.Second {
						t.Errorf("its context ended after %v", took)
					}
					if !errors.Is(context.Cause(ctx), leanmq.ErrTimeout) || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
						t.Errorf("its context ended with %v, cause %v", ctx.Err(), context.Cause(ctx))
					}
					attempts = append(attempts, m.Attempt)
					return err
				}, bound, leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 2}))
				if _, err := q.Send(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Second)
				stop()
				if len(attempts) != 2 || attempts[1] != 2 {
					t.Errorf("attempts %v, want 1 and 2", attempts)
				}
				d := oneDead(t, q)
				if d.Reason != leanmq.ReasonExhausted || d.Error != "handler timeout after 5s: gave up" {
					t.Errorf("%s: %q", d.Reason, d.Error)
				}
			})
		})
	}
}

// What middleware outside of a Timeout sees.
func TestTimeoutWrapsWhatTheHandlerReturnsTooLate(t *testing.T) {
	inBubble(t, func(t *testing.T, open func() *leanmq.Client) {
		mq := open()
		defer func() { _ = mq.Close() }()
		late, early := errors.New("late"), errors.New("early")
		results := map[string]error{}
		look := func(next leanmq.Handler) leanmq.Handler {
			return func(ctx context.Context, m *leanmq.Message) error {
				err := next(ctx, m)
				results[m.ID] = err
				if ctx.Err() != nil {
					t.Errorf("%s: the context outside ended: %v", m.ID, ctx.Err())
				}
				return nil
			}
		}
		stop := consumeIn(t, mq.Queue("q"), func(ctx context.Context, m *leanmq.Message) error {
			switch m.ID {
			case "early":
				return early
			case "late":
				<-ctx.Done()
				return late
			case "rejected":
				<-ctx.Done()
				return leanmq.Reject(late)
			case "panicked":
				<-ctx.Done()
				panic(late)
			}
			<-ctx.Done()
			return nil // it has made it all the same
		}, leanmq.Concurrency(1), leanmq.Use(look, leanmq.Timeout(5*time.Second), leanmq.Timeout(time.Hour), leanmq.Recover()))
		for _, id := range []string{"early", "late", "rejected", "panicked", "done"} {
			if _, err := mq.Queue("q").Send(t.Context(), nil, leanmq.ID(id)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(30 * time.Second)
		stop()
		if err := results["early"]; err != early { //nolint:errorlint // untouched
			t.Errorf("early: %v", err)
		}
		for _, id := range []string{"late", "rejected", "panicked"} {
			err := results[id]
			if !errors.Is(err, leanmq.ErrTimeout) || !errors.Is(err, late) || strings.Count(err.Error(), "timeout") != 1 {
				t.Errorf("%s: %v, want ErrTimeout, and why, once", id, err)
			}
		}
		if !leanmq.HasVerdict(results["rejected"]) {
			t.Error("a rejection is none any more")
		}
		if err, ok := results["done"]; err != nil || !ok {
			t.Errorf("done after the time: %v", err)
		}
	})
}

func TestHandlerThatSucceedsAfterItsMaxRunTimeIsDone(t *testing.T) {
	inBubble(t, func(t *testing.T, open func() *leanmq.Client) {
		mq := open()
		defer func() { _ = mq.Close() }()
		q := mq.Queue("q")
		stop := consumeIn(t, q, func(ctx context.Context, _ *leanmq.Message) error {
			<-ctx.Done()
			return nil
		}, leanmq.MaxRunTime(time.Second))
		if _, err := q.Send(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		stop()
		if i := info(t, q); i.Ready+i.InFlight+i.Scheduled+i.Dead != 0 {
			t.Errorf("left behind: %+v", i)
		}
	})
}

// A handler cannot be stopped from outside: it is reported once, and keeps its
// message to itself.
func TestHandlerThatIgnoresItsMaxRunTimeIsLoggedOnceAndKeepsItsLease(t *testing.T) {
	var log testkit.Log
	const overrun = "ignores that its time is up"
	inBubbleWith(t, []leanmq.Option{leanmq.Logger(zerolog.New(&log))}, func(t *testing.T, open func() *leanmq.Client) {
		mq, other := open(), open()
		defer func() { _, _ = mq.Close(), other.Close() }()
		runs := 0
		deaf := func(context.Context, *leanmq.Message) error {
			runs++
			time.Sleep(20 * time.Second) // six leases
			return errors.New("at last")
		}
		opts := []leanmq.ConsumeOption{leanmq.MaxRunTime(10 * time.Second), leanmq.Lease(3 * time.Second), leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 1})}
		stop := consumeIn(t, mq.Queue("q"), deaf, opts...)
		stopOther := consumeIn(t, other.Queue("q"), deaf, opts...)
		if _, err := mq.Queue("q").Send(t.Context(), nil, leanmq.ID("deaf-one")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10900 * time.Millisecond)
		if strings.Contains(log.String(), overrun) {
			t.Error("logged before its second of grace was over")
		}
		time.Sleep(200 * time.Millisecond)
		if n := strings.Count(log.String(), overrun); n != 1 || !strings.Contains(log.String(), "deaf-one") {
			t.Errorf("logged %d times after 1 s:\n%s", n, log.String())
		}
		time.Sleep(30 * time.Second)
		stop()
		stopOther()
		if runs != 1 {
			t.Errorf("%d handlers had the message", runs)
		}
		if n := strings.Count(log.String(), overrun); n != 1 {
			t.Errorf("logged %d times:\n%s", n, log.String())
		}
		if d := oneDead(t, mq.Queue("q")); !strings.HasSuffix(d.Error, "at last") {
			t.Errorf("%+v", d)
		}
	})
}

// A drain hands back what it cancels, but not what was too late before.
func TestAttemptThatWasTooLateFailsEvenInADrain(t *testing.T) {
	inBubble(t, func(t *testing.T, open func() *leanmq.Client) {
		mq := open()
		defer func() { _ = mq.Close() }()
		q := mq.Queue("q")
		if _, err := q.Send(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		running, timedOut := make(chan struct{}), make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- q.Consume(ctx, func(ctx context.Context, _ *leanmq.Message) error {
				close(running)
				<-ctx.Done()
				close(timedOut)
				time.Sleep(30 * time.Second)
				return errors.New("too late")
			}, leanmq.MaxRunTime(time.Second), leanmq.DrainTimeout(29500*time.Millisecond), leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 1}))
		}()
		<-running
		<-timedOut
		cancel()
		if err := <-ended; !errors.Is(err, leanmq.ErrDrainTimeout) {
			t.Errorf("%v", err)
		}
		if i := info(t, q); i.Dead != 1 {
			t.Errorf("%+v, want it dead", i)
		}
	})
}
