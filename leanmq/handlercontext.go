package leanmq

import (
	"context"
	"sync"
	"time"
)

// handlerContext is the context of a handler's run. Making one that can be canceled and
// has a deadline costs about as much as all else that is done for a message here, and
// most handlers never look at it. So it only remembers what it was made of and what
// ended it. Whoever looks at more than the deadline gets an ordinary context, made then,
// which is all that it is from then on: children are the ordinary one's and cost no
// goroutine, and [context.Cause] finds the cause.
type handlerContext struct {
	base     context.Context // values; never ends
	deadline time.Time       // by our clock; zero: none

	mu     sync.Mutex
	cause  error                   // of the end, if that came before the first look
	real   context.Context         // nil until the first look
	cancel context.CancelCauseFunc // ends it
}

func (h *handlerContext) Deadline() (time.Time, bool) { return h.deadline, !h.deadline.IsZero() }
func (h *handlerContext) Done() <-chan struct{}       { return h.look().Done() }
func (h *handlerContext) Err() error                  { return h.look().Err() }
func (h *handlerContext) Value(key any) any           { return h.look().Value(key) }

// look returns the ordinary context.
func (h *handlerContext) look() context.Context {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.real == nil {
		h.real, h.cancel = h.ordinary()
		if h.cause != nil {
			h.cancel(h.cause)
		}
	}
	return h.real
}

func (h *handlerContext) ordinary() (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(h.base)
	if h.deadline.IsZero() || h.cause != nil {
		return ctx, cancel
	}
	timed, stop := context.WithDeadlineCause(ctx, h.deadline, ErrExpired)
	return timed, func(cause error) {
		cancel(cause)
		stop()
	}
}

// end ends the context, unless it has ended already. A nil cause is
// [context.Canceled], as it is to a [context.CancelCauseFunc].
func (h *handlerContext) end(cause error) {
	if cause == nil {
		cause = context.Canceled
	}
	if h.expired() {
		h.look() // so that it has ended by its deadline
	}
	h.mu.Lock()
	cancel := h.cancel
	if cancel == nil && h.cause == nil {
		h.cause = cause
	}
	h.mu.Unlock()
	if cancel != nil {
		cancel(cause)
	}
}

func (h *handlerContext) expired() bool {
	return !h.deadline.IsZero() && !time.Now().Before(h.deadline)
}
