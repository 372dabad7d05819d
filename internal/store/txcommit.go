package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

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
