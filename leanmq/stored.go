package leanmq

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/leanmq/leanmq/internal/store"
)

// Stored is for the packages of this module: it checks what a Send to the queue
// called name would send, and returns it to be kept and given to
// [Queue.SendStored]. It needs no Redis. queue is the name as [Queue.Name] says it.
func Stored(name string, payload []byte, opts ...SendOption) (m store.Stored, queue string, err error) {
	keys, err := store.Keys{}.Queue(name)
	if err == nil {
		name = keys.Name
	}
	return (&Queue{name: name, maxPayload: MaxPayload, err: err}).stored(payload, opts)
}

// StoredPublish is for the packages of this module: it is Stored for a Publish to the
// topic called name, and for [Topic.SendStored].
func StoredPublish(name string, payload []byte, opts ...SendOption) (m store.Stored, topic string, err error) {
	keys, err := store.Keys{}.Topic(name)
	if err == nil {
		name = keys.Name
	}
	return (&Queue{name: name, topic: true, maxPayload: MaxPayload, err: err}).stored(payload, opts)
}

func (q *Queue) stored(payload []byte, opts []SendOption) (m store.Stored, name string, err error) {
	c, err := q.sendConfig(opts)
	if err == nil && c.terms.Wait != (store.Wait{}) {
		err = invalid("Replicas", "is not for what is stored: nobody waits when it is sent")
	}
	if err == nil {
		err = q.sendable(payload)
	}
	if err != nil {
		return store.Stored{}, "", q.wrap("store", c.id, err)
	}
	return store.Stored{Envelope: c.envelope(payload), Terms: c.terms, Topic: q.topic}, q.name, nil
}

// SendStored is for the packages of this module: it sends messages in one round
// trip, in this order. Where errs[i] is not nil, it says why message i was not sent
// by this call.
func (q *Queue) SendStored(ctx context.Context, ms []store.Stored) (errs []error) {
	errs = make([]error, len(ms))
	fit, at := make([]store.Stored, 0, len(ms)), make([]int, 0, len(ms))
	for i := range ms {
		err := q.sendable(ms[i].Envelope.Payload)
		if err == nil && ms[i].Topic != q.topic {
			err = invalid("message", "was stored for a queue, and this is a topic, or the other way round")
		}
		if err != nil {
			errs[i] = q.wrap("send", ms[i].Envelope.ID, err)
			continue
		}
		fit, at = append(fit, ms[i]), append(at, i)
	}
	if len(fit) == 0 {
		return errs
	}
	send := q.sendStoredNow
	if q.c.sending != nil {
		send = q.sendStoredAround
	}
	for i, err := range send(ctx, fit) {
		if _, said := err.(*Error); !said { //nolint:errorlint // whether it says where already
			err = q.wrap("send", fit[i].Envelope.ID, err)
		}
		errs[at[i]] = err
	}
	return errs
}

// sendStoredNow sends stored messages, without what is around them.
func (q *Queue) sendStoredNow(ctx context.Context, ms []store.Stored) []error {
	for i := range ms {
		e, terms := &ms[i].Envelope, &ms[i].Terms
		q.c.sealEnvelope(e)
		q.bind(e, terms)
		terms.Token = newSendToken()
	}
	errs := make([]error, len(ms))
	for i, r := range q.sq.SendEach(ctx, ms) {
		errs[i] = sendError(r)
	}
	return errs
}

// sendStoredAround sends stored messages through what is around sends.
func (q *Queue) sendStoredAround(ctx context.Context, ms []store.Stored) []error {
	start, s := time.Now(), q.c.sending
	if s.chain == nil {
		errs := q.sendStoredNow(ctx, ms)
		s.observe(q, len(ms), errors.Join(errs...), start, func(i int) bool { return errs[i] == nil })
		return errs
	}
	es := make([]store.Envelope, len(ms))
	call := &sendCall{q: q, many: true, each: make([]store.SendTerms, len(ms))}
	for i := range ms {
		es[i], call.each[i] = ms[i].Envelope, ms[i].Terms
	}
	out, err := call.through(ctx, s.chain, es)
	s.observe(q, len(ms), err, start, func(i int) bool { return out[i].state == sent })
	errs := make([]error, len(ms))
	for i, m := range out {
		switch {
		case m.state == sentTwice:
			errs[i] = ErrDuplicate
		case m.state == notSent && m.Err != nil:
			errs[i] = m.Err
		case m.state == notSent:
			errs[i] = err
		}
	}
	return errs
}

// sendAll sends several messages of a call: ms are what es were made from.
func (c *sendCall) sendAll(ctx context.Context, es []store.Envelope, ms []*Outgoing) (ids []string, errs []error) {
	if c.each == nil {
		return c.q.sendAllNow(ctx, es, c.terms)
	}
	stored, ids := make([]store.Stored, len(es)), make([]string, len(es))
	for i, m := range ms {
		stored[i], ids[i] = store.Stored{Envelope: es[i], Terms: c.each[m.index]}, es[i].ID
	}
	return ids, c.q.sendStoredNow(ctx, stored)
}

// ForgetStored is for the packages of this module: what was sent once under these
// names is forgotten after d.
func (q *Queue) ForgetStored(ctx context.Context, names []string, d time.Duration) error {
	return q.wrap("forget", "", q.sq.ForgetOnce(ctx, names, d))
}

// SendStored is for the packages of this module: it is that of queues for messages of
// [StoredPublish].
func (t *Topic) SendStored(ctx context.Context, ms []store.Stored) (errs []error) {
	return t.q.SendStored(ctx, ms)
}

// ForgetStored is for the packages of this module: it is that of queues.
func (t *Topic) ForgetStored(ctx context.Context, names []string, d time.Duration) error {
	return t.q.ForgetStored(ctx, names, d)
}

// Log is for the packages of this module: where the client logs.
func (c *Client) Log() *zerolog.Logger { return &c.log }
