package leanmqtest

import (
	"context"

	"github.com/leanmq/leanmq/leanmq"
)

// mostDrained bounds a Drain: a handler that sends to its own queue for ever fails
// the test instead of hanging it.
const mostDrained = 10_000

// Drain runs h for the messages of q, one at a time and in their order, until none
// is ready, and returns what became of them. What h itself sends to q is handled as
// well, and so are retries without a delay. What is not due stays scheduled until
// Advance has moved the clock.
//
// The options mean what they do for Consume, except those about workers:
// Concurrency is 1, DrainTimeout has no meaning, and levels are served strictly by
// urgency, without Weights. Of a queue that is paused nothing is handled, of one
// with limits what they allow at this moment. A message that was delivered
// MaxDeliveries times is dead-lettered without being handled, and is not in the
// result. After 10,000 messages the test fails.
func (e *Env) Drain(q *leanmq.Queue, h leanmq.Handler, opts ...leanmq.ConsumeOption) Drained {
	e.t.Helper()
	return e.DrainAll(Worker{Queue: q, Handler: h, Options: opts})
}

// Worker is a handler and the queue that it takes its messages from.
type Worker struct {
	Queue   *leanmq.Queue
	Handler leanmq.Handler
	Options []leanmq.ConsumeOption
}

// DrainAll is Drain for several queues whose handlers send to each other: it drains
// one after the other, in the order given and again from the start, until nothing
// is ready in any of them.
func (e *Env) DrainAll(workers ...Worker) Drained {
	e.t.Helper()
	ctx := context.WithoutCancel(e.t.Context())
	var all Drained
	steps := make([]func() bool, len(workers))
	for i, w := range workers {
		s, err := w.Queue.Stepper(ctx, w.Handler, w.Options...)
		if err != nil {
			e.t.Fatalf("leanmqtest: Drain: %v", err)
		}
		// Deferred, because a handler may end the test.
		defer func() {
			if err := s.Close(ctx); err != nil {
				e.t.Errorf("leanmqtest: Drain: %v", err)
			}
		}()
		steps[i] = func() bool {
			e.t.Helper()
			out, err := s.Step(ctx)
			if err != nil {
				e.t.Fatalf("leanmqtest: Drain: %v", err)
			}
			if out == nil {
				return false
			}
			all = append(all, Handled{
				Message: out.Message, Became: out.Became, Reason: out.Reason,
				Delay: out.Delay, Err: out.Err, Reply: out.Reply,
			})
			if len(all) > e.most {
				e.t.Fatalf("leanmqtest: Drain handled %d messages and more are ready: "+
					"do handlers send to each other for ever?\nThe last ones:\n%v", len(all), all[len(all)-min(len(all), 5):])
			}
			return true
		}
	}
	for quiet := false; !quiet; {
		quiet = true
		for _, step := range steps {
			for step() {
				quiet = false
			}
		}
	}
	return all
}
