package scenario

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// patience is how long a run waits for what must come.
const patience = time.Minute

// tally counts what is handled.
type tally struct {
	n, want atomic.Int64
	begun   atomic.Int64 // when the first one was handled, in Unix ns
	first   chan struct{}
	reached chan struct{}
}

func newTally() *tally {
	return &tally{first: make(chan struct{}), reached: make(chan struct{}, 1)}
}

// add is called by handlers.
func (t *tally) add() {
	n := t.n.Add(1)
	if n == 1 {
		t.begun.Store(time.Now().UnixNano())
		close(t.first)
	}
	if want := t.want.Load(); want > 0 && n >= want {
		t.full()
	}
}

func (t *tally) full() {
	select {
	case t.reached <- struct{}{}:
	default:
	}
}

// await returns when want were handled or limit (if not 0) has passed since the
// first one was, and tells how many there were since then and how long it took.
func (t *tally) await(ctx context.Context, want int, limit time.Duration) (n int, took time.Duration, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not handled in %v", patience))
	defer cancel()
	t.want.Store(int64(want))
	if t.n.Load() >= int64(want) {
		t.full()
	}
	select {
	case <-t.first:
	case <-ctx.Done():
		return 0, 0, context.Cause(ctx)
	}
	var over <-chan time.Time
	if limit > 0 {
		over = time.After(limit)
	}
	for reached := false; !reached; {
		select {
		case <-t.reached: // or an earlier want was, while nobody awaited it
			reached = t.n.Load() >= int64(want)
		case <-over:
			reached = true
		case <-ctx.Done():
			err = fmt.Errorf("%d of %d: %w", t.n.Load(), want, context.Cause(ctx))
			reached = true
		}
	}
	return int(t.n.Load()) - 1, time.Since(time.Unix(0, t.begun.Load())), err
}
