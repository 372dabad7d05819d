package leanmq

import (
	"context"
	"errors"
	"fmt"

	"github.com/leanmq/leanmq/internal/store"
)

// MaxPayload is the largest payload in bytes. Larger things belong into a blob
// store, and their address into a message: Redis holds everything in memory. It
// bounds what is sent, not what [Compress] and [Encrypt] make of it; for a
// smaller bound see [MaxPayloadBytes].
const MaxPayload = 16 << 20

// Send adds a message and returns its id. It returns when Redis has it; the
// payload may be reused then.
//
// Errors: [ErrInvalid], [ErrQueueFull] and [ErrDuplicate] mean that nothing was
// sent; [ErrUnavailable] alone as well. [ErrUnknown] means that the message may
// have been sent.
func (q *Queue) Send(ctx context.Context, payload []byte, opts ...SendOption) (id string, err error) {
	if len(opts) == 0 && q.plain && len(payload) <= q.maxPayload {
		e := store.Envelope{Payload: payload}
		id, err = q.sq.Send(ctx, &e)
		if err != nil {
			return "", q.wrap("send", "", err)
		}
		return id, nil
	}
	c, err := q.sendConfig(opts)
	if err != nil {
		return "", q.wrap("send", c.id, err)
	}
	e := c.envelope(payload)
	return q.send(ctx, &e, &c.terms)
}

// send is where all single sends with something special come together. It may change
// what it is given.
func (q *Queue) send(ctx context.Context, e *store.Envelope, terms *store.SendTerms) (string, error) {
	if q.c.sending != nil {
		return q.sendAround(ctx, e, terms)
	}
	return q.sendNow(ctx, e, terms)
}

// sendNow sends one message, without what is around it.
func (q *Queue) sendNow(ctx context.Context, e *store.Envelope, terms *store.SendTerms) (string, error) {
	if err := q.sendable(e.Payload); err != nil {
		return "", q.wrap("send", e.ID, err)
	}
	q.prepare(e, terms)
	if *terms == (store.SendTerms{}) {
		id, err := q.sq.Send(ctx, e)
		return id, q.wrap("send", e.ID, err)
	}
	return q.sendIf(ctx, e, terms)
}

// post is send, but returns when the message is in line if nothing special is to be done
// with it: see store.Post.
func (q *Queue) post(ctx context.Context, e *store.Envelope, terms *store.SendTerms, by store.Poster, token uint64) (store.Post, error) {
	if q.c.sending != nil {
		id, err := q.sendAround(ctx, e, terms)
		return store.Sent(id), err
	}
	if err := q.sendable(e.Payload); err != nil {
		return store.Post{}, q.wrap("send", e.ID, err)
	}
	q.prepare(e, terms)
	if *terms == (store.SendTerms{}) {
		post, err := q.sq.Post(ctx, e, by, token)
		return post, q.wrap("send", e.ID, err)
	}
	id, err := q.sendIf(ctx, e, terms)
	return store.Sent(id), err
}

// sendIf sends one message on terms. It is by itself so that what it needs is not on the
// stack of a plain send.
func (q *Queue) sendIf(ctx context.Context, e *store.Envelope, terms *store.SendTerms) (string, error) {
	r := q.sq.SendIf(ctx, []store.Envelope{*e}, *terms)[0]
	return r.ID, q.wrap("send", e.ID, sendError(r))
}

// prepare makes of a message and its terms what the store takes.
func (q *Queue) prepare(e *store.Envelope, terms *store.SendTerms) {
	q.c.sealEnvelope(e)
	q.bind(e, terms)
}

// bind adds what the queue's handle says about its messages.
func (q *Queue) bind(e *store.Envelope, terms *store.SendTerms) {
	terms.Limit = q.maxLen
	if q.scoped && terms.Window > 0 {
		terms.Scope = e.Target
	}
	if q.parks {
		store.Park(e, terms)
	}
}

func sendError(r store.SendResult) error {
	if r.Dup {
		return ErrDuplicate
	}
	return r.Err
}

func (q *Queue) sendable(payload []byte) error {
	if q.err != nil {
		return q.err
	}
	if len(payload) > q.maxPayload {
		return invalid("payload", "has %d bytes: at most %d are allowed", len(payload), q.maxPayload)
	}
	return nil
}

// SendMany adds messages in one round trip, in this order, and returns their
// ids. The options apply to each of them; ID, Unique and UniqueFor are not allowed.
//
// It is not a transaction: when it fails, the error joins one *Error for each
// message that was not sent, and ids has "" in their places.
func (q *Queue) SendMany(ctx context.Context, payloads [][]byte, opts ...SendOption) (ids []string, err error) {
	c, err := q.sendConfig(opts)
	if err == nil {
		err = q.manySendable(&c, payloads)
	}
	if err != nil {
		return nil, q.wrap("send", "", err)
	}
	return q.sendMany(ctx, &c, payloads, nil)
}

func (q *Queue) manySendable(c *sendConfig, payloads [][]byte) error {
	if err := c.forMany(); err != nil {
		return err
	}
	if q.err != nil {
		return q.err
	}
	for i, p := range payloads {
		if err := q.sendable(p); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
	}
	return nil
}

// sendMany sends the messages that are at these places of the caller's, for errors;
// nil means that there are no others.
func (q *Queue) sendMany(ctx context.Context, c *sendConfig, payloads [][]byte, places []int) (ids []string, err error) {
	envelopes := make([]store.Envelope, len(payloads))
	for i, p := range payloads {
		envelopes[i] = c.envelope(p)
	}
	if q.c.sending != nil {
		return q.sendAllAround(ctx, envelopes, c.terms, places)
	}
	ids, errs := q.sendAllNow(ctx, envelopes, c.terms)
	return ids, q.joined(errs, places)
}

// sendAllNow sends messages, without what is around them. Where errs is not nil,
// errs[i] says why message i was not sent.
func (q *Queue) sendAllNow(ctx context.Context, envelopes []store.Envelope, terms store.SendTerms) (ids []string, errs []error) {
	for i := range envelopes {
		q.c.sealEnvelope(&envelopes[i])
	}
	terms.Limit = q.maxLen
	if terms == (store.SendTerms{}) {
		return q.sq.SendMany(ctx, envelopes)
	}
	ids, errs = make([]string, len(envelopes)), make([]error, len(envelopes))
	for i, r := range q.sq.SendIf(ctx, envelopes, terms) {
		ids[i], errs[i] = r.ID, sendError(r)
	}
	return ids, errs
}

// joined is the error of a SendMany.
func (q *Queue) joined(errs []error, places []int) error {
	for i, err := range errs {
		errs[i] = q.wrap("send", fmt.Sprintf("#%d", placeOf(places, i)), err)
	}
	return errors.Join(errs...)
}

func placeOf(places []int, i int) int {
	if places == nil {
		return i
	}
	return places[i]
}
