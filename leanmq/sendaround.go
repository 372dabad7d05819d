package leanmq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/leanmq/leanmq/internal/lazyctx"
	"github.com/leanmq/leanmq/internal/store"
)

// sending is what a client has around its sends, if there is anything.
type sending struct {
	chain SendFunc // nil without middleware
	sent  []func(SendInfo)
}

func newSending(chain SendFunc, h *hooks) *sending {
	switch {
	case h != nil && h.sent != nil:
		return &sending{chain, h.sent}
	case chain != nil:
		return &sending{chain: chain}
	}
	return nil
}

// sendCall is one Send or SendMany on its way through the middleware.
type sendCall struct {
	q      *Queue
	terms  store.SendTerms
	each   []store.SendTerms // of SendStored: terms of its own for each message
	many   bool
	places []int // see sendMany
	tx     *Tx   // it is part of
	err    error // what passOn returned last
}

// outgoing is a message of the call, as middleware sees it.
func (c *sendCall) outgoing(i int, e store.Envelope) *Outgoing {
	return &Outgoing{
		Payload: e.Payload, Header: shown(e.Header), Queue: c.q.name, Target: e.Target, ID: e.ID,
		call: c, index: placeOf(c.places, i), given: e,
	}
}

// with reports whether the messages of both calls are sent together.
func (c *sendCall) with(o *sendCall) bool {
	return c == o || c != nil && o != nil && c.tx != nil && c.tx == o.tx
}

// wrap says where err happened.
func (m *Outgoing) wrap(err error) error {
	if _, ok := err.(*Error); ok { //nolint:errorlint // whether it is said already
		return err
	}
	op, id := "send", m.given.ID
	if m.call.many && m.call.each == nil {
		id = fmt.Sprintf("#%d", m.index)
	}
	if m.call.tx != nil {
		op = "transaction"
	}
	return m.call.q.wrap(op, id, err)
}

// sendAround sends one message through what is around sends.
func (q *Queue) sendAround(ctx context.Context, e *store.Envelope, terms *store.SendTerms) (string, error) {
	if err := q.sendable(e.Payload); err != nil {
		return "", q.wrap("send", e.ID, err)
	}
	start, s := time.Now(), q.c.sending
	if s.chain == nil {
		id, err := q.sendNow(ctx, e, terms)
		s.observe(q, 1, err, start, func(int) bool { return err == nil })
		return id, err
	}
	if bound, ok := ctx.(*lazyctx.Bound); ok {
		ctx = bound.Ordinary() // who keeps it sees its end
	}
	call := &sendCall{q: q, terms: *terms}
	ms, err := call.through(ctx, s.chain, []store.Envelope{*e})
	s.observe(q, 1, err, start, func(int) bool { return ms[0].state == sent })
	if ms[0].state == notSent {
		return "", err
	}
	return ms[0].ID, err
}

// sendAllAround sends messages through what is around sends.
func (q *Queue) sendAllAround(ctx context.Context, es []store.Envelope, terms store.SendTerms, places []int) ([]string, error) {
	start, s := time.Now(), q.c.sending
	if s.chain == nil || len(es) == 0 {
		ids, errs := q.sendAllNow(ctx, es, terms)
		err := q.joined(errs, places)
		s.observe(q, len(es), err, start, func(i int) bool { return errs == nil || errs[i] == nil })
		return ids, err
	}
	call := &sendCall{q: q, terms: terms, many: true, places: places}
	ms, err := call.through(ctx, s.chain, es)
	ids := make([]string, len(ms))
	for i, m := range ms {
		if m.state != notSent {
			ids[i] = m.ID
		}
	}
	s.observe(q, len(es), err, start, func(i int) bool { return ms[i].state == sent })
	return ids, err
}

// through takes the messages of one call through the chain, and sees to it that
// none is lost silently.
func (c *sendCall) through(ctx context.Context, chain SendFunc, es []store.Envelope) ([]*Outgoing, error) {
	ms := make([]*Outgoing, len(es))
	for i, e := range es {
		ms[i] = c.outgoing(i, e)
	}
	// A slice of its own: middleware may sort it, or take some out.
	err := chain(ctx, slices.Clone(ms))
	if err != nil && err != c.err { //nolint:errorlint // whether it is the very same one, which says where already
		id := ""
		if !c.many {
			id = ms[0].given.ID
		}
		err = c.q.wrap("send", id, err)
	}
	var more []error // of messages that err does not tell of
	for _, m := range ms {
		if m.state != notSent || err != nil && (m.Err == nil || errors.Is(err, m.Err)) {
			continue
		}
		if m.Err == nil {
			m.Err = ErrNotSent
		}
		more = append(more, m.wrap(m.Err))
	}
	switch {
	case len(more) == 0:
		return ms, err
	case c.many || err != nil:
		return ms, errors.Join(append([]error{err}, more...)...)
	}
	return ms, more[0]
}

// passOn is the innermost SendFunc of all calls: it sends.
func passOn(ctx context.Context, ms []*Outgoing) error {
	var errs []error
	for len(ms) > 0 {
		c, n := ms[0].call, 1
		for n < len(ms) && ms[n].call.with(c) {
			n++
		}
		errs = append(errs, c.pass(ctx, ms[:n]))
		ms = ms[n:]
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// pass sends messages of one call.
func (c *sendCall) pass(ctx context.Context, ms []*Outgoing) error {
	if c == nil {
		return invalid("Outgoing", "is not a message of this call: a send middleware cannot add any")
	}
	if c.tx != nil {
		return c.tx.pass(ctx, ms)
	}
	es := make([]store.Envelope, 0, len(ms))
	left := make([]*Outgoing, 0, len(ms))
	var errs []error
	fail := func(m *Outgoing, err error) {
		m.Err = m.wrap(err)
		errs = append(errs, m.Err)
	}
	for _, m := range ms {
		if m.state != notSent {
			continue
		}
		e, err := m.envelope()
		if err != nil {
			fail(m, err)
			continue
		}
		es, left = append(es, e), append(left, m)
	}
	switch {
	case len(es) == 0:
	case c.many:
		ids, failed := c.sendAll(ctx, es, left)
		for i := range left {
			var err error
			if failed != nil {
				err = failed[i]
			}
			left[i].result(ids[i], err, fail)
		}
	default:
		terms := c.terms
		id, err := c.q.sendNow(ctx, &es[0], &terms)
		left[0].result(id, err, fail)
	}
	switch {
	case len(errs) == 0:
		c.err = nil
	case c.many:
		c.err = errors.Join(errs...)
	default:
		c.err = errs[0]
	}
	return c.err
}

// result notes what came of a message.
func (m *Outgoing) result(id string, err error, fail func(*Outgoing, error)) {
	switch {
	case err == nil:
		m.ID, m.Err, m.state = id, nil, sent
		return
	case errors.Is(err, ErrDuplicate):
		m.ID, m.state = id, sentTwice
	}
	fail(m, err)
}

// envelope is what the message has become.
func (m *Outgoing) envelope() (store.Envelope, error) {
	e := m.given
	for _, f := range []struct{ name, now, was string }{
		{"Queue", m.Queue, m.call.q.name}, {"Target", m.Target, e.Target}, {"ID", m.ID, e.ID},
	} {
		if f.now != f.was {
			return e, invalid("Outgoing."+f.name, "was changed by a send middleware: only Payload and Header may be")
		}
	}
	if err := m.call.q.sendable(m.Payload); err != nil {
		return e, err
	}
	e.Payload = m.Payload
	own := ownHeaders(e.Header)
	if n := len(m.Header) + len(own)/2; n > store.MaxHeaders {
		return e, invalid("header", "there are %d: at most %d are allowed", n, store.MaxHeaders)
	}
	e.Header = own
	for name, value := range m.Header {
		if err := checkHeader(name, value); err != nil {
			return e, err
		}
		e.Header = append(e.Header, name, value)
	}
	return e, nil
}

// shown is what middleware sees of an envelope's headers: not LeanMQ's own.
func shown(pairs []string) Header {
	h := make(Header, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		if !strings.HasPrefix(pairs[i], ":") {
			h[pairs[i]] = pairs[i+1]
		}
	}
	return h
}

func ownHeaders(pairs []string) (own []string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if strings.HasPrefix(pairs[i], ":") {
			own = append(own, pairs[i], pairs[i+1])
		}
	}
	return own
}
