package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
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

// commandFailed is the error of a caller's command.
func commandFailed(why []any) error {
	text := fmt.Sprint(why...)
	return fmt.Errorf("%w: %w", ErrCommand, classifyReply(errors.New(text)))
}
