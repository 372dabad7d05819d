package store

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// movePatience is how long a command waits for a slot to be moved. A script
	// waits while its keys are on their way, because they are not all in one place.
	movePatience = 10 * time.Second
	// quickRedirects is how often a command follows without waiting.
	quickRedirects = 3
)

// follow sends again, as long as it takes, what was not executed of so many
// commands because it did not get to the right place.
func (c *cluster) follow(ctx context.Context, done errands, of int) error {
	begin := time.Now()
	for try := 0; ; try++ {
		left, waits := c.left(ctx, done)
		if len(left) == 0 {
			return nil
		}
		if waits || try >= quickRedirects {
			if time.Since(begin) > movePatience {
				return nil // the last replies are the results
			}
			if !sleep(ctx, backoff(try)) {
				if left.count() == of {
					return notInTime(ctx)
				}
				return &unknownError{context.Cause(ctx)}
			}
		}
		for _, e := range left {
			for _, cmd := range e.cmds {
				cmd.SetErr(nil)
			}
		}
		if err := c.run(ctx, left); err != nil && left.count() < of {
			return partly(err)
		} else if err != nil {
			return err
		}
		done = left
	}
}

// left returns what is to be sent again, and whether to wait before.
func (c *cluster) left(ctx context.Context, done errands) (left errands, wait bool) {
	for _, e := range done {
		next := &errand{slot: e.slot, wait: e.wait, made: e.made}
		for _, cmd := range e.cmds {
			err := errorOf(cmd)
			if err != nil && c.redirect(ctx, e, next, err) {
				next.cmds = append(next.cmds, cmd)
				wait = wait || redis.IsTryAgainError(err)
			}
		}
		if e.made != nil && len(next.cmds) < len(e.cmds) { // else nothing was written there
			*e.made = e.made.and(e.got)
		}
		if len(next.cmds) > 0 {
			left = append(left, next)
		}
	}
	return left, wait
}

// redirect reports whether a command of e that failed was not executed and is to be
// sent again, and sets where to.
func (c *cluster) redirect(ctx context.Context, e, next *errand, err error) bool {
	if isNetwork(err) {
		e.to.suspect.Store(true)
	}
	to := next.to
	if addr, ok := redis.IsMovedError(err); ok {
		to = c.moved(e.slot, reachable(addr, e.to.addr))
	} else if addr, ok := redis.IsAskError(err); ok {
		next.ask = true
		to, _ = c.node(reachable(addr, e.to.addr)) // nil: closed
	} else if lost := notSent(err); lost || redis.IsTryAgainError(err) {
		if to == nil {
			to, _ = c.at(ctx, e.slot) // nil: nobody has it now
		}
		if lost && to == e.to {
			return false
		}
	} else {
		return false
	}
	next.to = to
	return to != nil
}

// moved notes a slot's new owner and returns it, or nil after close.
func (c *cluster) moved(slot int, addr string) *node {
	n, err := c.node(addr)
	if err != nil {
		return nil
	}
	n.suspect.Store(false)
	c.owner[slot].Store(n)
	return n
}

// notSent reports whether a command failed before it was sent.
func notSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" || errors.Is(err, ErrClosed) || errors.Is(err, redis.ErrClosed)
}

// isNetwork reports whether it was not the server that said so.
func isNetwork(err error) bool {
	var known redis.Error
	return !errors.As(err, &known) || strings.HasPrefix(err.Error(), "READONLY")
}

// backoff is 1, 2, 4 … 64 ms.
func backoff(try int) time.Duration { return time.Millisecond << min(try, 6) }

// sleep reports whether it slept to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
