package leanmq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

// commit commits, through what is around sends if there are any.
func (tx *Tx) commit(ctx context.Context) error {
	start, around := time.Now(), tx.c.sending
	var err error
	if len(tx.sends) == 0 || around == nil || around.chain == nil {
		err = tx.commitNow(ctx, nil)
	} else {
		err = tx.commitAround(ctx, around.chain)
	}
	tx.observeSends(start, err)
	return err
}

// commitAround is commitNow in the middle of the send middleware.
func (tx *Tx) commitAround(ctx context.Context, chain SendFunc) error {
	ms := tx.outgoing()
	err := chain(ctx, slices.Clone(ms)) // as in through
	if err == nil && tx.state != txCommitted {
		err = ms[0].wrap(ErrNotSent)
		for _, m := range ms {
			if m.Err != nil {
				err = m.wrap(m.Err)
				break
			}
		}
	}
	if _, ok := err.(*Error); err != nil && !ok { //nolint:errorlint // whether it says where already
		err = wrap("transaction", "", "", err)
	}
	return err
}

// commitNow commits. es are the messages as they are to be sent, nil for as they are.
// It may be called again when it has failed.
func (tx *Tx) commitNow(ctx context.Context, es []store.Envelope) error {
	st := tx.c.s.NewTx()
	for i, s := range tx.sends {
		s.sent = store.TxSend{Queue: s.q.sq, Envelope: s.e, Terms: s.call.terms, MustBeNew: s.sent.MustBeNew}
		if es != nil {
			s.sent.Envelope = es[i]
		}
		s.q.prepare(&s.sent.Envelope, &s.sent.Terms)
		if unique := s.sent.Envelope.UniqueKey; unique != "" {
			s.sent.After = tx.ended(s.q, unique)
		}
		st.Send(&s.sent)
	}
	for i := range tx.commands {
		st.Do(tx.commands[i].command)
	}
	for i := range tx.letters {
		l := &tx.letters[i]
		st.Requeue(ctx, l.q.sq, l.letter, l)
	}
	tx.mark(txSettles)
	tx.settleIn(ctx, st)
	if err := st.Commit(ctx); err != nil {
		for i := range tx.settles {
			tx.settles[i].m.verdict = verdict{}
		}
		tx.mark(txNone)
		return tx.refused(err)
	}
	tx.mark(txSettled)
	tx.state = txCommitted
	for i := range tx.commands {
		tx.commands[i].reply()
	}
	tx.settled(ctx)
	return nil
}

// refused says what a commit failed for.
func (tx *Tx) refused(err error) error {
	var refusal *store.TxRefusal
	if !errors.As(err, &refusal) {
		return wrap("transaction", "", "", err)
	}
	switch of := refusal.Of.(type) {
	case *Message:
		return wrap("transaction", of.Queue, of.ID, ErrLeaseLost)
	case *txLetter:
		return of.q.wrap("transaction", of.letter, ErrNotFound)
	case *store.Command:
		return wrap("transaction", "", "", fmt.Errorf("%s %.80q: %w", of.Args[0], of.Args[1], refusal.Err))
	case *store.TxSend:
		for _, s := range tx.sends {
			if &s.sent == of {
				if errors.Is(refusal.Err, store.ErrNotFirst) {
					return s.q.wrap("transaction", of.Result.ID, ErrDuplicate)
				}
				return s.q.wrap("transaction", s.e.ID, refusal.Err)
			}
		}
	}
	return wrap("transaction", "", "", refusal.Err)
}
