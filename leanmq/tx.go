package leanmq

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/store"
)

var (
	// ErrCrossSlot means that a transaction touches several slots of a Redis Cluster.
	// Nothing was sent. The error names two places that are apart.
	ErrCrossSlot = store.ErrCrossSlot
	// ErrTxOver means that the function that a Tx was made for has returned, or the
	// transaction was not committed.
	ErrTxOver = errors.New("transaction is over")
	// ErrCommand means that a command failed that a transaction was given (see
	// [Tx.Do]). Nothing of the transaction has happened.
	ErrCommand = store.ErrCommand
)

const (
	// maxTx is how many parts a transaction may have: nobody else is served while it
	// is committed.
	maxTx = 1000
	// maxTxBytes bounds what is in them: all of it is one command, and Redis hangs up on
	// a client that sends one of 1 GB.
	maxTxBytes = 256 << 20
)

// Tx collects what is to happen together: messages to send and to publish, messages to
// settle, dead letters to requeue, and commands of the caller's own. See [Client.Tx].
//
// Its methods do nothing but take note. The first error of one of them is the
// error of the transaction, so that none needs to be looked at by itself. A Tx is not
// safe for concurrent use, and must not be used after its function has returned.
type Tx struct {
	c        *Client
	sends    []*TxSend
	settles  []txSettle
	letters  []txLetter
	commands []txCommand
	bytes    int   // of payloads and commands
	err      error // of the first call that could not be noted
	state    txState
}

type txState uint8

const (
	txOpen      txState = iota
	txClosed            // the function has returned
	txCommitted         // and it has happened
)

// Tx commits what f puts into the transaction: all of it at once, in one script, or
// nothing. Nobody sees half of it. When f returns an error, that is returned, and
// nothing has been sent.
//
//	err := mq.Tx(ctx, func(tx *leanmq.Tx) error {
//		tx.Do("HINCRBY", "balances", "alice", -10)
//		tx.Do("HINCRBY", "balances", "bob", 10)
//		tx.Send(receipts, receipt, leanmq.Delay(time.Minute))
//		return tx.Done(m)
//	})
//
// In a handler, a transaction that settles the message being handled is fenced: a
// worker that has lost its lease commits nothing ([ErrLeaseLost]). What a message
// brings about happens exactly once then, whatever crashes, as far as all of it is in
// the transaction. After the commit the message is settled and the handler's own
// verdict means nothing any more: an error that it still returns is logged. When the
// commit fails the handler should return its error, so that the message is tried
// again; that includes [ErrUnknown], because if the transaction was committed after
// all, the message is settled and not tried again.
//
// Within the transaction the caller's own commands come first, then what is sent and
// published, then the requeued letters, and what is settled comes last, each in the order
// of the calls.
//
// Errors, besides those of its methods: [ErrLeaseLost], [ErrQueueFull], [ErrNotFound]
// (of a dead letter), [ErrDuplicate] (see [TxSend.MustBeNew]), [ErrCommand] and
// [ErrCrossSlot] mean that nothing has happened; the *[Error] names the queue and the
// message. [ErrUnavailable] alone means the same. [ErrUnknown] means that it may have
// happened, all of it. A transaction that settles a message, or has a send that
// MustBeNew, is safe to repeat.
//
// Nobody else is served while the script runs. A transaction has at most 1000 parts, and
// 256 MiB of payloads and commands.
func (c *Client) Tx(ctx context.Context, f func(tx *Tx) error) error {
	tx := &Tx{c: c}
	err := tx.collect(f)
	switch {
	case err != nil:
		return err
	case tx.err != nil:
		return tx.err
	case tx.parts() == 0:
		return wrap("transaction", "", "", invalid("Tx", "is empty: its function puts nothing into it"))
	}
	return tx.commit(ctx)
}

// collect runs f, and ends the collecting even if that panics.
func (tx *Tx) collect(f func(tx *Tx) error) error {
	defer func() { tx.state = txClosed }()
	if f == nil {
		return wrap("transaction", "", "", invalid("function", "is nil"))
	}
	return f(tx)
}

func (tx *Tx) parts() int {
	return len(tx.sends) + len(tx.settles) + len(tx.letters) + len(tx.commands)
}

// fail makes err the error of the transaction, if it is the first one, and returns it,
// with where it happened.
func (tx *Tx) fail(queue, id string, err error) error {
	err = wrap("transaction", queue, id, err)
	if tx.err == nil {
		tx.err = err
	}
	return err
}

// more returns an error unless another part may be added.
func (tx *Tx) more() error {
	switch {
	case tx.state != txOpen:
		return ErrTxOver
	case tx.parts() >= maxTx:
		return invalid("Tx", "has more than %d parts", maxTx)
	}
	return nil
}

// carry returns an error unless so many more bytes fit into the transaction.
func (tx *Tx) carry(n int) error {
	if tx.bytes += n; tx.bytes > maxTxBytes {
		return invalid("Tx", "has more than %d bytes of payloads and commands", maxTxBytes)
	}
	return nil
}

// queue returns an error unless q can be part of the transaction.
func (tx *Tx) queue(q *Queue) error {
	switch {
	case q == nil:
		return invalid("queue", "is nil")
	case q.err != nil:
		return q.err
	case q.c != tx.c && q.topic:
		return invalid("topic", "is one of another client: a transaction is of one")
	case q.c != tx.c:
		return invalid("queue", "is one of another client: a transaction is of one")
	}
	return nil
}

type txLetter struct {
	q      *Queue
	letter string
}

// Requeue sends a dead letter again, as [Queue.Requeue] does. If it is not there, the
// commit fails with [ErrNotFound].
func (tx *Tx) Requeue(q *Queue, letter string) error {
	err := tx.more()
	if err == nil {
		err = tx.queue(q)
	}
	if err == nil {
		err = checkLetters(letter)
	}
	for _, l := range tx.letters {
		if err == nil && l.letter == letter && l.q.name == q.name {
			err = invalid("letter", "%s is requeued twice in one transaction", letter)
		}
	}
	if err != nil {
		return tx.fail(nameOf(q), "", err)
	}
	tx.letters = append(tx.letters, txLetter{q, letter})
	return nil
}

func nameOf(q *Queue) string {
	if q == nil {
		return ""
	}
	return q.name
}

type txCommand struct {
	command *store.Command
	result  *redis.Cmd
}
