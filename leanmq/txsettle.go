package leanmq

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/leanmq/leanmq/internal/store"
)

// inTx is how a message that is being handled stands to a transaction.
type inTx uint8

const (
	txNone    inTx = iota
	txSettles      // one that is being committed settles it
	txSettled      // one has settled it
)

// holder is the consumer that messages were handed to: a transaction settles them in
// its name, and by its rules.
type holder struct {
	c    *Client
	name string // among the consumers
	cfg  *consumeConfig
	log  *zerolog.Logger
}

func (s *source) holder() *holder {
	if s.p != nil {
		return s.p.holder
	}
	return s.held
}

// txSettle is a message that a transaction settles.
type txSettle struct {
	m       *Message
	verdict verdict
	cause   error // nil: it is done
}

// errTxSettled is what a second settling gets.
var errTxSettled = invalid("message", "is settled already, by a transaction")

// Done has the message be done by the transaction. It is one that a handler has, or
// that was pulled ([Pulled]'s Message), and is not settled otherwise.
//
// If this worker does not own it any more, the commit fails with [ErrLeaseLost]. A
// caller who waits for a reply gets it after the commit; if the worker dies in
// between, the caller's time runs out.
func (tx *Tx) Done(m *Message) error {
	return tx.settle(m, nil)
}

// Retry counts a failed attempt, and has the transaction retry or dead-letter the
// message, as a handler's error would: [RetryAfter] and the rules mean what they do
// there. What else is in the transaction happens all the same.
func (tx *Tx) Retry(m *Message, cause error) error {
	if cause == nil {
		cause = RetryAfter(0, nil)
	}
	return tx.settle(m, cause)
}

// Reject has the message be dead-lettered by the transaction.
func (tx *Tx) Reject(m *Message, cause error) error { return tx.Retry(m, Reject(cause)) }

func (tx *Tx) settle(m *Message, cause error) error {
	if m == nil {
		return tx.fail("", "", invalid("message", "is nil"))
	}
	err := tx.more()
	switch {
	case err != nil:
	case m.source == nil || m.source.holder() == nil:
		err = invalid("message", "is not being handled: no consumer or puller of this process has it")
	case m.source.holder().c != tx.c:
		err = invalid("message", "was received by another client: a transaction is of one")
	case m.tx == txSettled:
		err = errTxSettled
	case slices.ContainsFunc(tx.settles, func(s txSettle) bool { return s.m == m }):
		err = invalid("message", "is settled twice in one transaction")
	}
	if err != nil {
		return tx.fail(m.Queue, m.ID, err)
	}
	s := txSettle{m: m, cause: cause} // a verdict that is zero means done
	if h := m.source.holder(); cause != nil {
		s.verdict = h.cfg.judge(m, cause, h.c.age(m, time.Now()), h.log)
	}
	tx.settles = append(tx.settles, s)
	return nil
}

// mark says how the messages that the transaction settles stand to it. Whatever else
// the keeper of a pool finds out about them meanwhile does not count.
func (tx *Tx) mark(is inTx) {
	for i := range tx.settles {
		m := tx.settles[i].m
		if p := m.source.p; p != nil {
			p.mu.Lock()
			m.tx = is
			p.mu.Unlock()
			continue
		}
		m.tx = is
	}
}

// settleIn adds what is settled to the store's transaction: together what was handed to
// one consumer from one stream.
func (tx *Tx) settleIn(ctx context.Context, st *store.Tx) {
	var of []*source
	batches := map[*source][]*Message{}
	for i := range tx.settles {
		m := tx.settles[i].m
		m.verdict = tx.settles[i].verdict
		tx.c.sealer.sealOutcome(m)
		s := m.source
		if batches[s] == nil {
			of = append(of, s)
		}
		batches[s] = append(batches[s], m)
		moves := m.verdict.outcome == outcomeRetry || m.verdict.outcome == outcomeDead
		st.Owned(s.q, s.holder().name, m.entry, moves, m)
	}
	for _, s := range of {
		settlement := settlement(batches[s])
		settlement.Replies = nil // see afterTx
		st.Settle(ctx, s.q, s.holder().name, &settlement)
	}
}

// ended is the id of the message with this unique key that the transaction ends.
func (tx *Tx) ended(q *Queue, unique string) string {
	for i := range tx.settles {
		s := &tx.settles[i]
		if x := s.m.extra; x != nil && x.uniqueKey == unique && s.m.Queue == q.name && s.verdict.outcome != outcomeRetry {
			return s.m.ID
		}
	}
	return ""
}

// settled tells who did not hear of it from a pool.
func (tx *Tx) settled(ctx context.Context) {
	for i := range tx.settles {
		m := tx.settles[i].m
		if m.source.p != nil {
			continue // its handler still runs: see afterTx
		}
		if m.run != nil {
			m.run.took, m.run.err = time.Since(m.run.start), tx.settles[i].cause
		}
		tx.c.observeSettled([]*Message{m}, nil)
		if m.reply != nil {
			tx.c.answerAfterTx(ctx, m)
		}
	}
}

// afterTx is the end of a message that a transaction has settled, when its handler has
// returned: what the handler returns comes too late.
func (p *pool) afterTx(m *Message, err error) {
	if err != nil {
		p.log.Error().Str("id", m.ID).AnErr("error", err).
			Msg("the handler failed after a transaction had settled the message: ignored")
	}
	if m.replyTo == "" {
		if m.verdict.outcome == outcomeDead {
			p.log.Error().Str("id", m.ID).Int("attempt", m.Attempt).Str("reason", m.verdict.reason).
				Str("error", m.verdict.err).Msg("dead-lettered")
		}
		return
	}
	switch {
	case m.verdict.outcome == outcomeRetry:
		m.reply = nil // that is left to a later attempt
		return
	case m.reply != nil:
	case m.verdict.outcome == outcomeDone:
		m.reply = &Reply{Status: http.StatusOK}
	default:
		m.reply = &Reply{Status: http.StatusInternalServerError}
	}
	p.c.answerAfterTx(context.Background(), m)
}

// answerAfterTx sends the reply to a request that a transaction has settled.
func (c *Client) answerAfterTx(ctx context.Context, m *Message) {
	c.sealer.sealOutcome(m)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleGrace)
	defer cancel()
	if err := c.s.Answer(ctx, m.storeReply()); err != nil {
		c.log.Warn().Err(err).Str("queue", m.Queue).Str("id", m.ID).
			Msg("could not answer a request that a transaction has settled: its caller's time runs out")
	}
}
