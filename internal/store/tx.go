package store

import (
	"context"
	"errors"
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

// TxRefusal is the failure of a commit that has left nothing.
type TxRefusal struct {
	// Of is what it fails for: a *TxSend, a *Command, or what Owned or Requeue was given.
	Of  any
	Err error
}

func (e *TxRefusal) Error() string { return e.Err.Error() }
func (e *TxRefusal) Unwrap() error { return e.Err }

// What a commit may be refused for.
var (
	ErrNotOwned    = errors.New("not owned any more")
	ErrNoLetter    = errors.New("no such dead letter")
	ErrNotFirst    = errors.New("a duplicate")
	ErrCommand     = errors.New("command failed")
	errForeignType = errors.New("a key of the queue holds something else")
)

// txRecord is a part of a transaction, as tx.lua takes it.
type txRecord struct {
	kind       string
	keys, args []any
	reply      func(v any)
	of         any
	why        func(why []any) error // what its refusal means
}

type txType struct{ key, is string }

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

// Commit commits. A *TxRefusal means that nothing of it has happened.
func (t *Tx) Commit(ctx context.Context) error {
	if t.s.IsCluster() {
		if err := oneSlot(t.places); err != nil {
			return err
		}
	}
	records := t.records(ctx)
	cmd := newTxCmd(ctx, records, t.guard())
	if err := t.s.pipe.doAll(ctx, append(t.lists, cmd)); err != nil {
		return classify(err)
	}
	reply, err := cmd.Slice()
	if err != nil {
		return classify(err)
	}
	return committed(records, reply)
}

// records are the whole transaction: the checks, the caller's commands, the moves.
func (t *Tx) records(ctx context.Context) []txRecord {
	out := make([]txRecord, 0, 2+2*len(t.sends)+len(t.fences)+len(t.own)+len(t.settle))
	if len(t.types) > 0 {
		out = append(out, t.typesRecord())
	}
	out = append(append(out, t.fences...), t.letters...)
	out = t.appendRooms(out)
	for i, c := range t.own {
		keys, args := c.record(i == len(t.own)-1)
		out = append(out, txRecord{
			kind: txOwn, keys: keys, args: args, of: c, reply: func(v any) { c.Reply = v },
			why: func(why []any) error { return commandFailed(why) },
		})
	}
	for _, m := range t.sends {
		out = t.appendSend(ctx, out, m)
	}
	for _, cmds := range [][]redis.Cmder{t.requeue, t.settle} {
		for _, cmd := range cmds {
			out = append(out, recordOf(cmd))
		}
	}
	return out
}

func (t *Tx) typesRecord() txRecord {
	r := txRecord{kind: txTypes, why: func(why []any) error {
		return fmt.Errorf("%w: %v is a %v, not a %v", errForeignType, why[0], why[1], why[2])
	}}
	for _, x := range t.types {
		r.keys, r.args = append(r.keys, x.key), append(r.args, x.is)
	}
	return r
}

// appendRooms appends the checks of queues that may refuse a message.
func (t *Tx) appendRooms(out []txRecord) []txRecord {
	asks := map[string]bool(nil)
	for _, m := range t.sends {
		if m.Terms.Limit > 0 || m.MustBeNew {
			if asks == nil {
				asks = map[string]bool{}
			}
			asks[m.Queue.Base] = true
		}
	}
	for _, m := range t.sends {
		if !asks[m.Queue.Base] {
			continue
		}
		q, must := m.Queue, ""
		if m.MustBeNew {
			must = "1"
		}
		r := txRecord{
			kind: txRoom, keys: []any{q.Base, q.Order, q.Unique, q.Meta, q.Delayed},
			args: []any{m.Terms.Limit, m.Envelope.UniqueKey, m.After, must}, of: m,
			why: func(why []any) error {
				if why[0] == "dup" {
					m.Result.ID, _ = why[1].(string)
					return ErrNotFirst
				}
				return fmt.Errorf("%w: %v messages wait, with those before it in the transaction; the limit is %d", ErrFull, why[1], m.Terms.Limit)
			},
		}
		if m.Terms.Window > 0 {
			r.keys = append(r.keys, q.dedupeWithin(m.Terms.Scope, m.Envelope.ID))
		}
		if m.Terms.Unique > 0 {
			r.keys = append(r.keys, q.UniqueFor(m.Terms.For))
		}
		out = append(out, r)
	}
	return out
}

func (t *Tx) appendSend(ctx context.Context, out []txRecord, m *TxSend) []txRecord {
	q := m.Queue
	if list := q.relist(ctx); list != nil {
		t.lists = append(t.lists, list)
	}
	if m.After != "" {
		out = append(out, txRecord{kind: txFree, keys: []any{q.Unique}, args: []any{m.Envelope.UniqueKey, m.After}})
	}
	if m.Terms == (SendTerms{}) {
		r := recordOf(redis.NewStringCmd(ctx, m.Envelope.appendFields([]any{"XADD", q.stream, "*"})...))
		r.reply = func(v any) {
			if m.Result.ID = m.Envelope.ID; m.Result.ID == "" {
				m.Result.ID, _ = v.(string)
			}
		}
		return append(out, r)
	}
	cmd := q.sendIf(ctx, &m.Envelope, m.Terms, 0)
	r := recordOf(cmd)
	r.reply = func(v any) {
		cmd.SetVal(v)
		m.Result = sendResult(cmd, m.Terms)
	}
	return append(out, r)
}

// recordOf makes a part of a transaction of what would be a call by itself.
func recordOf(cmd redis.Cmder) txRecord {
	args := cmd.Args()
	if args[0] == "XADD" { // key * fields
		return txRecord{kind: txAdd, keys: args[1:2], args: args[3:]}
	}
	n, _ := args[2].(int) // the last one is the guard
	return txRecord{kind: scriptOf(cmd).name, keys: args[3 : 2+n], args: args[3+n:]}
}

// guard is that of a queue, if there is one: only moves have keys that are not named.
func (t *Tx) guard() string {
	for _, p := range t.places {
		if p.queue {
			return guard(p.key)
		}
	}
	return t.places[0].key
}

var boxedAdd any = txAdd // once: most records are one

func newTxCmd(ctx context.Context, records []txRecord, guard string) *redis.Cmd {
	nkeys, nargs := 1, 0
	for i := range records {
		nkeys += len(records[i].keys)
		nargs += 3 + len(records[i].args)
	}
	all := append(make([]any, 0, 3+nkeys+nargs), "EVALSHA", txScriptFor(records).sha, nkeys)
	for i := range records {
		all = append(all, records[i].keys...)
	}
	all = append(all, guard)
	for i := range records {
		r := &records[i]
		kind := boxedAdd
		if r.kind != txAdd {
			kind = r.kind
		}
		all = append(append(all, kind, len(r.keys), len(r.args)), r.args...)
	}
	return redis.NewCmd(ctx, all...)
}

// committed passes the reply of tx.lua on.
func committed(records []txRecord, reply []any) error {
	switch {
	case len(reply) == len(records)+1 && reply[0] == "ok":
		for i := range records {
			if f := records[i].reply; f != nil {
				f(reply[i+1])
			}
		}
		return nil
	case len(reply) >= 2 && reply[0] == "refused":
		n := integer(reply[1])
		if n >= 0 && n < int64(len(records)) && records[n].why != nil {
			return &TxRefusal{Of: records[n].of, Err: records[n].why(reply[2:])}
		}
	}
	return fmt.Errorf("%w: tx returned %.200q", errProtocol, fmt.Sprint(reply))
}

// commandFailed is the error of a caller's command.
func commandFailed(why []any) error {
	text := fmt.Sprint(why...)
	return fmt.Errorf("%w: %w", ErrCommand, classifyReply(errors.New(text)))
}
