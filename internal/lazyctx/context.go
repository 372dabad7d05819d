// Package lazyctx has contexts that cost next to nothing until somebody looks at them.
//
// Making a context that can be canceled and has a deadline costs about as much as all
// else that is done here for a message or a request, and most handlers never look at
// theirs. So a [Context] only remembers what it was made of and what ended it. Whoever
// wants more gets an ordinary context, made then, which is all that it is from then on:
// children are the ordinary one's and cost no goroutine, and [context.Cause] finds the
// cause.
package lazyctx

import (
	"context"
	"sync"
	"time"
)

// Context is a context that is made when somebody looks. It is safe for concurrent use.
type Context struct {
	parent   context.Context
	deadline time.Time // zero: none of its own
	expired  error     // the cause when that passes; nil is context.DeadlineExceeded

	mu     sync.Mutex
	cause  error                   // of the end, if that came before the first look
	real   context.Context         // nil until the first look
	cancel context.CancelCauseFunc // ends it
}

// New returns a context that ends with its parent, at the deadline, or by End, which has
// to be called. A zero deadline is none; one of the parent must not be earlier. expired
// is the cause when the deadline passes; nil is [context.DeadlineExceeded].
func New(parent context.Context, deadline time.Time, expired error) *Context {
	return &Context{parent: parent, deadline: deadline, expired: expired}
}

// Deadline implements [context.Context].
func (c *Context) Deadline() (time.Time, bool) {
	if c.deadline.IsZero() {
		return c.parent.Deadline()
	}
	return c.deadline, true
}

// Done implements [context.Context].
func (c *Context) Done() <-chan struct{} { return c.look().Done() }

// Value implements [context.Context].
func (c *Context) Value(key any) any { return c.look().Value(key) }

// Err implements [context.Context]. It looks only when there is an error.
func (c *Context) Err() error {
	if c.going() {
		return nil
	}
	return c.look().Err()
}

// going reports whether nobody has looked, and it has not ended.
func (c *Context) going() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.real == nil && c.cause == nil && !c.passed() && c.parent.Err() == nil
}

// look returns the ordinary context.
func (c *Context) look() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.real == nil {
		c.real, c.cancel = c.ordinary()
		if c.cause != nil {
			c.cancel(c.cause)
		}
	}
	return c.real
}

func (c *Context) ordinary() (context.Context, context.CancelCauseFunc) {
	if c.cause != nil { // nothing ends it any more
		return context.WithCancelCause(context.WithoutCancel(c.parent))
	}
	ctx, cancel := context.WithCancelCause(c.parent)
	if c.deadline.IsZero() {
		return ctx, cancel
	}
	timed, stop := context.WithDeadlineCause(ctx, c.deadline, c.expired)
	return timed, func(cause error) {
		cancel(cause)
		stop()
	}
}

// End ends the context, unless it has ended already. A nil cause is
// [context.Canceled], as it is to a [context.CancelCauseFunc].
func (c *Context) End(cause error) {
	if cause == nil {
		cause = context.Canceled
	}
	if c.passed() || c.parent.Err() != nil {
		c.look() // so that it has ended by that
	}
	c.mu.Lock()
	cancel := c.cancel
	if cancel == nil && c.cause == nil {
		c.cause = cause
	}
	c.mu.Unlock()
	if cancel != nil {
		cancel(cause)
	}
}

func (c *Context) passed() bool { return !c.deadline.IsZero() && !time.Now().Before(c.deadline) }

// Bound is a [Context] that nobody ends before its maker is done with it: to wait for its
// end until then is to wait for that of its parent and for the deadline. Who may go on
// waiting, or is not known, gets the ordinary one.
type Bound struct{ Context }

// WithTimeout returns a context that ends with its parent, or after d, which must not be
// later than the parent's deadline. End it when it is not needed any more.
func WithTimeout(parent context.Context, d time.Duration) *Bound {
	return &Bound{Context{parent: parent, deadline: time.Now().Add(d)}}
}

// Parent is what it was made of.
func (b *Bound) Parent() context.Context { return b.parent }

// Ordinary returns the ordinary context that it is from the first look on.
func (b *Bound) Ordinary() context.Context { return b.look() }
