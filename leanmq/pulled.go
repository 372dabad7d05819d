package leanmq

import (
	"context"
	"time"
)

// Pulled is a message that Receive returned. Settle it once, with Done, Retry
// or Reject, before its lease runs out.
type Pulled struct {
	*Message
	p    *Puller
	seen pulledSeen
}

// Done acknowledges and deletes the message. [ErrLeaseLost] means that someone
// else has it now.
func (m *Pulled) Done(ctx context.Context) error {
	return m.settle(ctx, "done", verdict{outcome: outcomeDone})
}

// Retry counts a failed attempt and, as the policy says, retries the message
// after its backoff or dead-letters it. Reject and RetryAfter mean what they do
// in a handler, and rules such as RejectOn are asked first.
func (m *Pulled) Retry(ctx context.Context, cause error) error {
	if cause == nil {
		cause = RetryAfter(0, nil)
	}
	return m.failed(ctx, "retry", cause)
}

// Reject dead-letters the message.
func (m *Pulled) Reject(ctx context.Context, cause error) error {
	return m.failed(ctx, "reject", Reject(cause))
}

func (m *Pulled) failed(ctx context.Context, op string, cause error) error {
	m.observeCause(cause)
	return m.settle(ctx, op, m.judge(cause))
}

func (m *Pulled) judge(cause error) verdict {
	return m.p.cfg.judge(m.Message, cause, m.p.q.c.age(m.Message, time.Now()), &m.p.log)
}

// Extend starts the message's lease anew.
func (m *Pulled) Extend(ctx context.Context) error {
	epoch, lost, err := m.source.q.Renew(ctx, m.p.name, []string{m.entry})
	switch {
	case err == nil && len(lost) > 0:
		err = ErrLeaseLost
		m.observeLost()
	case err == nil:
		m.epoch = epoch
	}
	return m.p.q.wrap("extend", m.ID, err)
}

func (m *Pulled) settle(ctx context.Context, op string, v verdict) error {
	if m.tx == txSettled {
		return m.p.q.wrap(op, m.ID, errTxSettled)
	}
	m.verdict = v
	m.p.q.c.sealer.sealOutcome(m.Message)
	st := settlement([]*Message{m.Message})
	out, err := m.source.q.Settle(ctx, m.p.name, &st)
	m.observe(out.Lost, err)
	if err == nil && len(out.Lost) > 0 {
		err = ErrLeaseLost
	}
	return m.p.q.wrap(op, m.ID, err)
}
