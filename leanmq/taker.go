package leanmq

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

const (
	// roomPoll is how soon a taker looks again while other processes have as many
	// messages in flight as the queue's limit allows.
	roomPoll = 100 * time.Millisecond
	// lowestFirst is how often a taker takes from the least urgent level first.
	lowestFirst = strictTurn
)

// taker fetches for a pool whose queue has limits: each fetch is a script that
// takes as many messages as the limits of all processes allow. It blocks, when
// there is nothing, on a connection of its own.
type taker struct {
	p      *pool
	reader *store.Reader
	wake   chan struct{}
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	takes  int
}

func newTaker(p *pool) *taker {
	t := &taker{p: p, reader: p.c.s.NewReader(), wake: make(chan struct{}, 1)}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t
}

func (t *taker) start() { t.wg.Go(t.run) }

// stop ends the taker; nothing is delivered any more when it returns.
func (t *taker) stop() {
	t.cancel()
	interruptUntil(&t.wg, t.reader.Interrupt)
	_ = t.reader.Close()
}

func (t *taker) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *taker) run() {
	o := outage{log: t.p.log, what: "take"}
	for t.ctx.Err() == nil {
		n := t.p.credit(byUrgency[len(byUrgency)-1])
		if n == 0 {
			t.sleep(-1)
			continue
		}
		err := t.take(n)
		switch {
		case err == nil:
			o.ok()
		case t.ctx.Err() != nil:
		case errors.Is(err, store.ErrNoGroup):
			o.failed(t.ctx, err)
			_ = t.p.join(t.ctx)
		default:
			o.failed(t.ctx, err)
		}
	}
}

// take takes up to n messages and waits when there was none to take.
func (t *taker) take(n int) error {
	sources := t.order()
	queues := make([]*store.Queue, len(sources))
	got := make([][]store.Entry, len(sources))
	for i, s := range sources {
		queues[i] = s.q
	}
	epoch := t.p.currentEpoch()
	// Not ended by the context: what is taken has to be handled.
	taken, err := t.p.c.s.Take(context.Background(), t.p.c.instance, queues, n, func(level int, e store.Entry) {
		got[level] = append(got[level], e)
	})
	for i, s := range sources {
		if len(got[i]) > 0 {
			t.p.deliver(s, got[i], epoch)
		}
	}
	if err != nil {
		return err
	}
	switch taken.Why {
	case "empty":
		return t.reader.Await(t.ctx, queues, taken.Last, readWait)
	case "rate":
		t.sleep(taken.Wait)
	case "running":
		t.sleep(roomPoll)
	case "paused":
		t.p.lookSoon()
		t.sleep(roomPoll)
	}
	return nil
}

// order returns the levels, the most urgent first, but now and then the other way
// round.
func (t *taker) order() []*source {
	levels := byUrgency
	if t.takes++; t.takes%lowestFirst == 0 {
		for i, l := range byUrgency {
			levels[len(levels)-1-i] = l
		}
	}
	var out []*source
	for _, l := range levels {
		for _, s := range t.p.levels() {
			if s.level == l {
				out = append(out, s)
			}
		}
	}
	return out
}

// sleep waits until d is over (negative: for ever) or somebody pokes.
func (t *taker) sleep(d time.Duration) {
	var over <-chan time.Time
	if d >= 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-t.ctx.Done():
	case <-t.wake:
	case <-over:
	}
}
