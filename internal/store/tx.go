package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

// Tx is what is to be committed together, in one script (tx.lua). Each thing that is
// added may be what the commit fails for: see TxRefusal. Not safe for concurrent use.
type Tx struct {
	s       *Store
	sends   []*TxSend
	fences  []txRecord
	letters []txRecord
	own     []*Command
	requeue []redis.Cmder
	settle  []redis.Cmder
	lists   []redis.Cmder // put queues into the registry, beside the script
	types   []txType
	places  []place
}

// TxSend is a message that a transaction sends.
type TxSend struct {
	Queue    *Queue
	Envelope Envelope
	Terms    SendTerms
	// MustBeNew: the commit fails if the message is a duplicate.
	MustBeNew bool
	// After is the id of a message with the same unique key that the transaction ends.
	After string
	// Result is set by the commit. Err stays nil.
	Result SendResult
}

// NewTx returns an empty transaction.
func (s *Store) NewTx() *Tx { return &Tx{s: s} }

// Send adds a message. Messages are sent in the order in which they were added.
func (t *Tx) Send(m *TxSend) {
	t.sends = append(t.sends, m)
	t.in(m.Queue)
	t.holds("stream", m.Queue.Base)
	if m.Terms != (SendTerms{}) {
		t.holds("stream", m.Queue.Level(int(m.Envelope.Level)).Stream)
		t.holds("zset", m.Queue.Delayed)
		t.holds("hash", m.Queue.Bodies)
		t.holdsRest(m.Queue)
		t.holdsOwn(m)
	}
}

// holdsOwn notes the keys that only this message has to do with.
func (t *Tx) holdsOwn(m *TxSend) {
	q := m.Queue
	if m.Terms.Window > 0 {
		t.types = append(t.types, txType{q.dedupeWithin(m.Terms.Scope, m.Envelope.ID), "string"})
	}
	if m.Terms.Unique > 0 {
		t.types = append(t.types, txType{q.UniqueFor(m.Terms.For), "string"})
	}
	if m.Envelope.OrderKey != "" {
		t.types = append(t.types, txType{q.Lane(m.Envelope.OrderKey), "list"})
	}
}

// Do adds a command of the caller's. They run in order, before anything else.
func (t *Tx) Do(c *Command) {
	t.own = append(t.own, c)
	for _, k := range c.keys {
		t.places = append(t.places, place{what: fmt.Sprintf("key %q", k), key: k})
	}
}

// Owned has the commit fail unless the consumer owns an entry of q. Needed means that
// it must not have been deleted either.
func (t *Tx) Owned(q *Queue, consumer, entry string, needed bool, of any) {
	flag := ""
	if needed {
		flag = "1"
	}
	t.in(q)
	t.fences = append(t.fences, txRecord{
		kind: txOwner, keys: []any{q.stream}, args: []any{group, consumer, entry, flag}, of: of,
		why: func([]any) error { return ErrNotOwned },
	})
}

// Settle adds a settlement, without its replies, of messages that are Owned. What is
// sent in their place, with their unique keys, was added before.
func (t *Tx) Settle(ctx context.Context, q *Queue, consumer string, st *Settlement) {
	for i := range st.Finished {
		if f := &st.Finished[i]; t.freed(q, f) {
			f.UniqueKey = "" // it is the next one's now, which may have the same id
		}
	}
	t.settle = q.settleCmds(ctx, t.settle, consumer, st)
	t.holds("hash", q.Workers)
	for i := range st.Finished {
		if key := st.Finished[i].OrderKey; key != "" {
			t.types = append(t.types, txType{q.Lane(key), "list"})
		}
	}
	if len(st.Retries) > 0 {
		t.holds("zset", q.Delayed)
		t.holds("hash", q.Bodies)
	}
	if len(st.Dead)+len(st.Finished) > 0 {
		t.holds("stream", q.QueueKeys.Dead)
		t.holdsRest(q)
	}
}

// freed reports whether a message's unique key is freed by a send (tx_free.lua).
func (t *Tx) freed(q *Queue, f *Finished) bool {
	return f.UniqueKey != "" && slices.ContainsFunc(t.sends, func(m *TxSend) bool {
		return m.After == f.MessageID && m.Envelope.UniqueKey == f.UniqueKey && m.Queue.Unique == q.Unique
	})
}

// Requeue adds the sending of a dead letter, which has to be there.
func (t *Tx) Requeue(ctx context.Context, q *Queue, letter string, of any) {
	t.in(q)
	t.holds("stream", q.Base)
	t.holdsRest(q)
	t.letters = append(t.letters, txRecord{
		kind: txLetter, keys: []any{q.QueueKeys.Dead}, args: []any{letter}, of: of,
		why: func([]any) error { return ErrNoLetter },
	})
	t.requeue = append(t.requeue, requeueScript.cmd(ctx, q.scope(q.QueueKeys.Dead), letter, letter, 1))
}

// in notes that a queue, or a topic, is part of the transaction.
func (t *Tx) in(q *Queue) {
	if n := len(t.places); n == 0 || t.places[n-1].key != q.Base {
		what := "queue"
		if q.topic {
			what = "topic"
		}
		t.places = append(t.places, place{fmt.Sprintf("%s %q", what, q.Name), q.Base, true})
	}
}

// holds notes the type that a key has, if it is there.
func (t *Tx) holds(is, key string) {
	if !slices.ContainsFunc(t.types, func(x txType) bool { return x.key == key }) {
		t.types = append(t.types, txType{key, is})
	}
}

func (t *Tx) holdsRest(q *Queue) {
	t.holds("hash", q.Order)
	t.holds("hash", q.Unique)
	t.holds("hash", q.Meta)
}
