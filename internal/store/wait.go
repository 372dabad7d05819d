package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// Wait is what a send waits for beyond the reply of its server: that so many
// replicas have it. It is not consensus: a replica that does not have it may be
// made the master, and a replica's own disk is not asked.
type Wait struct {
	Replicas int           // 0 = none
	Timeout  time.Duration // for them
}

// NotReplicatedError says that a message was sent, and that fewer replicas than were
// asked for are known to have it.
type NotReplicatedError struct {
	Want, Got int
	Err       error // why it is not known, if the connection broke meanwhile
}

func (e *NotReplicatedError) Error() string {
	text := fmt.Sprintf("%v: %d of %d replicas have it", ErrNotReplicated, e.Got, e.Want)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *NotReplicatedError) Unwrap() []error { return []error{ErrNotReplicated, e.Err} }

// ErrNotReplicated means that a message was sent, and that too few replicas are known
// to have it.
var ErrNotReplicated = errors.New("sent, but not replicated")

// copies is how many replicas have what a batch wrote.
type copies struct {
	n   int
	err error
}

// missing is the error of a send of which there are so many copies.
func (c copies) missing(w Wait) error {
	if c.err == nil && c.n >= w.Replicas {
		return nil
	}
	return &NotReplicatedError{Want: w.Replicas, Got: c.n, Err: classify(c.err)}
}

// and is the copies that there are of both.
func (c copies) and(other copies) copies {
	if c.err == nil && other.err == nil {
		return copies{n: min(c.n, other.n)}
	}
	return copies{err: errors.Join(c.err, other.err)}
}

// doWait is doAll for commands that are to be replicated. A batch of them, of all
// callers who wait for the same, ends with one WAIT on the same connection. They
// need a pipe of their own: what comes behind a WAIT waits as well.
func (p *pipe) doWait(ctx context.Context, cmds []redis.Cmder, w Wait) (copies, error) {
	c := p.newCall()
	c.cmds, c.wait = cmds, w
	err := p.run(ctx, c)
	if err != nil {
		return copies{}, err // c is left to the flush
	}
	return c.copies, nil
}

// execWait runs the commands and, if there is something to wait for, waits.
func (p *pipe) execWait(cmds []redis.Cmder, w Wait) copies {
	if w == (Wait{}) {
		p.exec(p.rdb, cmds)
		return copies{}
	}
	wait := redis.NewIntCmd(context.Background(), "WAIT", w.Replicas, w.Timeout.Milliseconds())
	p.exec(p.rdb.WithTimeout(w.Timeout+commandTimeout), append(cmds, wait))
	return copies{int(wait.Val()), wait.Err()}
}

// doWait is doAll for commands for one slot that are to be replicated.
func (c *cluster) doWait(ctx context.Context, cmds []redis.Cmder, w Wait) (copies, error) {
	plan, err := c.plan(ctx, cmds)
	if err != nil {
		return copies{}, err
	}
	made := copies{n: w.Replicas}
	for _, e := range plan {
		e.wait, e.made = w, &made
	}
	if err := c.run(ctx, plan); err != nil {
		return copies{}, err
	}
	err = c.follow(ctx, plan, len(cmds))
	return made, err
}

// deliver runs the commands of a send, and waits for replicas if it shall.
func (q *Queue) deliver(ctx context.Context, cmds []redis.Cmder, list redis.Cmder, w Wait) (missing, err error) {
	if w == (Wait{}) || len(cmds) == 0 {
		if list != nil {
			cmds = append(slices.Clip(cmds), list) // the rest of the memory is not ours
		}
		return nil, q.s.pipe.doAll(ctx, cmds)
	}
	if list != nil { // it may belong to another server
		if err := q.s.pipe.do(ctx, list); err != nil {
			return nil, err
		}
	}
	made, err := q.s.waits.doWait(ctx, cmds, w)
	if err != nil {
		return nil, err
	}
	return made.missing(w), nil
}

func isWait(cmd redis.Cmder) bool { return cmd.Args()[0] == "WAIT" }
