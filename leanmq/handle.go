package leanmq

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/leanmq/leanmq/internal/lazyctx"
)

// handle runs the handler for one message, unless its time is over at the start, and
// judges its result.
func (p *pool) handle(m *Message, start time.Time) (took time.Duration) {
	if p.dropUnseen(m, start) {
		return 1
	}
	ctx := p.context(m)
	err := call(ctx, p.h, m)
	took = max(time.Since(start), 1)
	p.conclude(ctx, m, err)
	ctx.End(nil)
	p.c.noteRun(m, start, took, err)
	return took
}

// conclude says what becomes of a message whose handler has returned.
func (p *pool) conclude(ctx context.Context, m *Message, err error) {
	if m.tx == txSettled {
		p.afterTx(m, err)
		return
	}
	if err != nil {
		p.judge(ctx, m, err)
	}
	if m.replyTo != "" {
		p.answer(m, err)
	}
	p.c.sealer.sealOutcome(m)
}

// dropUnseen judges messages that no handler is to see.
func (p *pool) dropUnseen(m *Message, now time.Time) bool {
	if v, late := p.cfg.late(p.c, m, now, &p.log); late {
		m.verdict = v
		return true
	}
	if p.cancels.Load() && p.isCanceled(m) {
		p.log.Info().Str("id", m.ID).Msg("canceled: dropped")
		m.dropCanceled()
		return true
	}
	if err := p.c.open(m); err != nil {
		p.refuse(m, err)
		return true
	}
	return false
}

func (m *Message) expired(c *Client, now time.Time) bool {
	return !m.Deadline.IsZero() && !now.Before(c.local(m.Deadline))
}

// context makes the handler's context and lets the keeper end it.
func (p *pool) context(m *Message) *lazyctx.Context {
	var deadline time.Time
	if !m.Deadline.IsZero() {
		deadline = p.c.local(m.Deadline)
	}
	ctx := lazyctx.New(p.base, deadline, ErrExpired)
	p.mu.Lock()
	defer p.mu.Unlock()
	m.cancel = ctx
	if m.lost { // just before
		ctx.End(ErrLeaseLost)
	}
	if p.canceled.has(m) {
		ctx.End(ErrCanceled)
	}
	return ctx
}

// call turns a panic into an error.
func call(ctx context.Context, h Handler, m *Message) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return h(ctx, m)
}

// judge decides on a failed attempt.
func (p *pool) judge(ctx context.Context, m *Message, err error) {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, ErrCanceled):
		p.log.Info().Str("id", m.ID).AnErr("error", err).Msg("canceled while it was handled: dropped")
		m.dropCanceled()
		return
	case errors.Is(cause, ErrDrainTimeout) && !errors.Is(err, ErrTimeout):
		m.verdict = verdict{outcome: outcomeKeep} // not its fault, unless it was late already: handed back
		return
	case errors.Is(cause, ErrExpired):
		m.verdict = p.cfg.expire(m, errorText(err))
		m.replyTo, m.reply = "", nil // nobody waits any more
		p.log.Info().Str("id", m.ID).AnErr("error", err).
			Bool("dead-lettered", m.verdict.outcome == outcomeDead).Msg("expired while it was handled")
		return
	}
	m.verdict = p.cfg.judge(m, err, p.c.age(m, time.Now()), &p.log)
	var pe *PanicError
	if errors.As(err, &pe) {
		p.log.Error().Str("id", m.ID).Int("attempt", m.Attempt).Str("panic", fmt.Sprint(pe.Value)).
			Str("stack", string(pe.Stack)).Msg("handler panicked")
	}
	if m.verdict.outcome == outcomeDead && m.replyTo == "" {
		p.log.Error().Str("id", m.ID).Int("attempt", m.Attempt).Str("reason", m.verdict.reason).
			AnErr("error", err).Msg("dead-lettered")
	}
}
