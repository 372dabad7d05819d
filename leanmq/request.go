package leanmq

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/leanmq/leanmq/internal/lazyctx"
	"github.com/leanmq/leanmq/internal/store"
)

// Request sends a message and waits for the reply to it. The deadline of ctx,
// or else [DefaultRequestTimeout], travels with the message: a worker drops what
// nobody waits for any more.
//
// Errors: [ErrNoReply] when the time was up, those of Send, and the cause of
// ctx. A reply with an error status is a reply, not an error.
func (b *Inbox) Request(ctx context.Context, q *Queue, payload []byte, opts ...SendOption) (*Reply, error) {
	bound, _ := ctx.(*lazyctx.Bound)
	if _, ok := ctx.Deadline(); !ok {
		bound = lazyctx.WithTimeout(ctx, DefaultRequestTimeout)
		defer bound.End(nil)
		ctx = bound
	}
	w, err := b.ask(ctx, q, payload, opts)
	if err != nil {
		return nil, err
	}
	// What was needed to send is off the stack: many may wait here at once.
	done, timeUp := w.until(ctx, bound)
	select {
	case end := <-w.end:
		return b.ended(q, &w, end)
	case <-done:
	case <-timeUp:
	}
	b.forget(w.correlation)
	<-ctx.Done() // at the same time, if somebody looked at it
	return nil, unanswered(ctx, q, &w)
}

// until is what ends the wait: a timer that is used again, instead of one that a context
// makes, where nothing but the deadline of bound, if it is one, is added to its parent.
func (w *wait) until(ctx context.Context, bound *lazyctx.Bound) (done <-chan struct{}, timeUp <-chan time.Time) {
	if bound == nil {
		return ctx.Done(), nil
	}
	deadline, _ := bound.Deadline()
	left := time.Until(deadline)
	if w.timer == nil {
		w.timer = time.NewTimer(left)
	} else {
		w.timer.Reset(left)
	}
	return bound.Parent().Done(), w.timer.C
}

// ended opens the reply to a request, if there is one.
func (b *Inbox) ended(q *Queue, w *wait, end replyOrError) (*Reply, error) {
	if w.timer != nil {
		w.timer.Stop()
	}
	b.waiters.Put(w.waiter)
	w.post.Release()
	if end.err != nil {
		return nil, q.wrap("request", "", end.err)
	}
	if err := b.c.openReply(end.reply); err != nil {
		return nil, q.wrap("request", "", err)
	}
	return end.reply, nil
}

// unanswered is the error of a request that ctx has ended.
func unanswered(ctx context.Context, q *Queue, w *wait) error {
	id, err := w.post.GiveUp(ctx)
	if err != nil {
		return q.wrap("send", id, err)
	}
	err = context.Cause(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: %w", ErrNoReply, err)
	}
	return q.wrap("request", id, err)
}

// wait is a request that was sent, or is in line for that: nobody wakes up only because
// it was.
type wait struct {
	post        store.Post
	correlation uint64
	*waiter
}

// waiter is what a request waits with.
type waiter struct {
	end   chan replyOrError
	timer *time.Timer // nil until one was needed
}

// replyOrError is what a request ends with, unless its context ends before.
type replyOrError struct {
	reply *Reply // nil if there is an error
	err   error
}

// ask sends a request.
func (b *Inbox) ask(ctx context.Context, q *Queue, payload []byte, opts []SendOption) (w wait, err error) {
	var e store.Envelope
	var terms store.SendTerms
	if err := draft(&e, &terms, payload, opts); err != nil {
		return w, q.wrap("request", e.ID, err)
	}
	if deadline, ok := ctx.Deadline(); ok && e.TTL == 0 {
		e.TTL = max(time.Until(deadline).Milliseconds(), 1)
	}
	w.correlation = rand.Uint64()
	if w.waiter, _ = b.waiters.Get().(*waiter); w.waiter == nil {
		w.waiter = &waiter{end: make(chan replyOrError, 1)}
	}
	if err := b.expect(w); err != nil {
		return w, q.wrap("request", "", err)
	}
	waits := false
	defer func() {
		if !waits { // also where a middleware panics
			b.forget(w.correlation)
		}
	}()
	e.ReplyTo = b.in.Address(strconv.FormatUint(w.correlation, correlationBase))
	w.post, err = q.post(ctx, &e, &terms, (*poster)(b), w.correlation)
	waits = err == nil
	return w, err
}

// poster is an Inbox that hears of requests which could not be sent.
type poster Inbox

func (p *poster) Unsent(correlation uint64, err error) {
	if end, ok := (*Inbox)(p).take(correlation); ok {
		end <- replyOrError{err: err}
	}
}
