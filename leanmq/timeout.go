package leanmq

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	minRunTime = time.Millisecond
	maxRunTime = 24 * time.Hour
	// overrunGrace is how long a handler may go on after its time is up before
	// that is logged.
	overrunGrace = time.Second
)

// Timeout returns middleware that bounds one run of what is inside of it to d, 1 ms
// to 24 h. When the time is up, the handler's context ends with a cause that is
// [ErrTimeout]. It is up to the handler to return then: it is not abandoned.
//
// An error that the handler returns after that is wrapped: it is ErrTimeout as
// well as itself, and so a Reject stays one. A handler that still returns nil is
// done.
//
// For a bound on everything that a queue's consumer runs, see [MaxRunTime].
func Timeout(d time.Duration) Middleware {
	return func(next Handler) Handler {
		if err := checkRunTime("Timeout", d); err != nil {
			panic(err) // compose returns it
		}
		return bounded(next, d)
	}
}

// MaxRunTime bounds each run of a handler, with all middleware, to d: 1 ms to 24 h,
// or 0 for no bound, which is the default.
//
// When the time is up, the handler's context ends with a cause that is
// [ErrTimeout]. If the handler then returns an error, the attempt has failed and
// the retry policy decides, as ever; if it returns nil it is done.
//
// A handler cannot be stopped from outside. One that ignores its context is logged
// 1 s later. It keeps its worker, and its lease is renewed as long as it runs, so
// that nobody else handles the message beside it.
func MaxRunTime(d time.Duration) ConsumeOption {
	return func(c *consumeConfig) { c.maxRunTime = d }
}

func checkRunTime(field string, d time.Duration) error {
	if d < minRunTime || d > maxRunTime {
		return invalid(field, "is %v: want 1ms to 24h", d)
	}
	return nil
}

// bounded ends the context of h after d.
func bounded(h Handler, d time.Duration) Handler {
	cause := fmt.Errorf("%w after %v", ErrTimeout, d)
	return func(ctx context.Context, m *Message) error {
		ctx, cancel := context.WithTimeoutCause(ctx, d, cause)
		defer cancel()
		err := h(ctx, m)
		if err != nil && !errors.Is(err, ErrTimeout) && errors.Is(context.Cause(ctx), ErrTimeout) {
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		return err
	}
}

// boundRunTime puts the pool's MaxRunTime around its handler.
func (p *pool) boundRunTime() {
	d := p.cfg.maxRunTime
	if d == 0 {
		return
	}
	h := bounded(p.h, d)
	p.h = func(ctx context.Context, m *Message) error {
		defer p.watch(m.ID, m.Attempt)()
		return h(ctx, m)
	}
}

// watch logs one line if stop is not called in time.
func (p *pool) watch(id string, attempt int) (stop func()) {
	logged := make(chan struct{})
	t := time.AfterFunc(p.cfg.maxRunTime+overrunGrace, func() {
		defer close(logged)
		p.log.Warn().Str("id", id).Int("attempt", attempt).Dur("max_run_time", p.cfg.maxRunTime).
			Msg("handler ignores that its time is up; it goes on, and keeps its lease")
	})
	return func() {
		if !t.Stop() {
			<-logged
		}
	}
}
