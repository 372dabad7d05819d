package leanmq

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

// TxSend is a message that a transaction sends or publishes. What came of it can be asked
// when [Client.Tx] has returned.
type TxSend struct {
	tx   *Tx
	q    *Queue
	e    store.Envelope
	call sendCall // its terms, and its way through the middleware
	sent store.TxSend
	err  error
}

// Send adds a message, with the options of [Queue.Send]. A message that is a duplicate,
// by its [ID] or a unique key, is not sent, and does not keep the transaction from
// being committed; see [TxSend.Duplicate] and [TxSend.MustBeNew]. A unique key that is
// held by a message which the same transaction ends is free. [Replicas] is refused. The
// payload must not be changed before Tx returns.
//
// [SendMiddleware] sees all messages of the transaction together when it is committed,
// and has to pass all of them on, or none.
func (tx *Tx) Send(q *Queue, payload []byte, opts ...SendOption) *TxSend {
	if len(opts) == 0 {
		return tx.send(q, payload, &noOptions, nil)
	}
	c, err := newSendConfig(opts)
	return tx.send(q, payload, &c, err)
}

var noOptions sendConfig

// SendMany is Send for several messages with the same options, as [Queue.SendMany]
// allows them.
func (tx *Tx) SendMany(q *Queue, payloads [][]byte, opts ...SendOption) []*TxSend {
	c, err := newSendConfig(opts)
	return tx.sendMany(q, payloads, &c, err)
}

func (tx *Tx) sendMany(q *Queue, payloads [][]byte, c *sendConfig, err error) []*TxSend {
	if err == nil {
		err = c.forMany()
	}
	out := make([]*TxSend, len(payloads))
	for i, p := range payloads {
		one := *c
		if one.terms.Token != "" && i > 0 {
			one.terms.Token = newSendToken()
		}
		out[i] = tx.send(q, p, &one, err)
	}
	return out
}

func (tx *Tx) send(q *Queue, payload []byte, c *sendConfig, err error) *TxSend {
	s := &TxSend{tx: tx, q: q}
	if merr := tx.more(); merr != nil {
		err = merr
	}
	if err == nil {
		err = tx.queue(q)
	}
	if err == nil && c.terms.Wait != (store.Wait{}) {
		err = invalid("Replicas", "is not for transactions: they wait for no replicas")
	}
	if err == nil {
		err = q.sendable(payload)
	}
	if err == nil {
		err = tx.carry(len(payload))
	}
	if err != nil {
		s.err = tx.fail(nameOf(q), c.id, err)
		return s
	}
	s.e = c.envelope(payload)
	s.call = sendCall{q: q, terms: c.terms, tx: tx}
	tx.sends = append(tx.sends, s)
	return s
}

// MustBeNew makes the commit fail with [ErrDuplicate] if the message is a duplicate, and
// leave nothing: a transaction with such a message is safe to repeat. It needs an [ID],
// [Unique], [UniquePayload] or [UniqueFor].
func (s *TxSend) MustBeNew() *TxSend {
	if s.err == nil && s.call.terms.Window == 0 && s.call.terms.Unique == 0 && s.e.UniqueKey == "" {
		s.err = s.tx.fail(s.q.name, s.e.ID, invalid("MustBeNew", "needs an ID or a unique key that tells a duplicate"))
	}
	s.sent.MustBeNew = true
	return s
}

// ID is the message's id, that of the first one if it is a duplicate. It is "" unless
// the transaction is committed.
func (s *TxSend) ID() string {
	if s.tx.state != txCommitted {
		return ""
	}
	return s.sent.Result.ID
}

// Duplicate reports whether the transaction was committed without this message, because
// it had been sent before.
func (s *TxSend) Duplicate() bool { return s.tx.state == txCommitted && s.sent.Result.Dup }

// Err says why the message was not sent: nil if it was, [ErrDuplicate], what was wrong
// with it, or [ErrTxOver] if the transaction is not committed.
func (s *TxSend) Err() error {
	switch {
	case s.err != nil:
		return s.err
	case s.tx.state != txCommitted:
		return s.q.wrap("transaction", s.e.ID, ErrTxOver)
	case s.sent.Result.Dup:
		return s.q.wrap("transaction", s.e.ID, ErrDuplicate)
	}
	return nil
}

// observeSends tells the Sent hooks of the messages of a transaction, queue by queue
// and topic by topic.
func (tx *Tx) observeSends(start time.Time, err error) {
	if tx.c.sending == nil || tx.c.sending.sent == nil {
		return
	}
	var queues []*Queue
	counts := map[string][]*TxSend{} // by their keys: a queue and a topic may have the same name
	for _, s := range tx.sends {
		base := s.q.sq.Base
		if counts[base] == nil {
			queues = append(queues, s.q)
		}
		counts[base] = append(counts[base], s)
	}
	for _, q := range queues {
		of := counts[q.sq.Base]
		tx.c.sending.observe(q, len(of), err, start, func(i int) bool { return of[i].ID() != "" && !of[i].Duplicate() })
	}
}

// outgoing are the messages as middleware sees them.
func (tx *Tx) outgoing() []*Outgoing {
	ms := make([]*Outgoing, len(tx.sends))
	for i, s := range tx.sends {
		ms[i] = s.call.outgoing(i, s.e)
	}
	return ms
}

// pass is where messages come out of the middleware: it commits.
func (tx *Tx) pass(ctx context.Context, ms []*Outgoing) error {
	if tx.state == txCommitted {
		return nil // called again
	}
	fail := func(m *Outgoing, err error) error {
		m.Err = m.wrap(err)
		return m.Err
	}
	es := make([]store.Envelope, len(tx.sends))
	given := make([]bool, len(tx.sends))
	for _, m := range ms {
		e, err := m.envelope()
		if err != nil {
			return fail(m, err)
		}
		es[m.index], given[m.index] = e, true
	}
	if slices.Contains(given, false) {
		return fail(ms[0], fmt.Errorf("%w: a transaction is sent as a whole, and %d of its %d messages were passed on",
			ErrNotSent, len(ms), len(es)))
	}
	if err := tx.commitNow(ctx, es); err != nil {
		for _, m := range ms {
			m.Err = err
		}
		return err
	}
	for _, m := range ms {
		s := tx.sends[m.index]
		m.ID, m.Err, m.state = s.ID(), nil, sent
		if s.Duplicate() {
			m.state, m.Err = sentTwice, m.wrap(ErrDuplicate)
		}
	}
	return nil
}
