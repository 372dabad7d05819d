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
	// urgentPoll is how soon it looks again while there is room for more urgent
	// messages only.
	urgentPoll = 10 * time.Millisecond
)

// taker fetches for a pool whose queue has limits, several levels or a topic: each fetch
// is a script that takes as many messages as the limits of all processes allow, of the
// levels whose turn it is. It blocks, when there is nothing, on a connection of its own.
type taker struct {
	p      *pool
	reader *store.Reader
	wake   chan struct{}
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	turns  turns
}

func newTaker(p *pool) *taker {
	t := &taker{p: p, reader: p.c.s.NewReader(), wake: make(chan struct{}, 1)}
	t.turns = newTurns(p.levels(), p.cfg.weights)
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

func (t *taker) poke() { signal(t.wake) }

func (t *taker) run() {
	o := outage{log: t.p.log, what: "take"}
	for t.ctx.Err() == nil {
		room := t.room()
		if room[0] == 0 { // the most urgent level has the most
			t.sleep(-1)
			continue
		}
		err := t.take(room)
		switch {
		case err == nil:
			o.ok()
		case t.ctx.Err() != nil:
		case errors.Is(err, store.ErrNoGroup):
			o.failed(t.ctx, err)
			t.rejoin()
		default:
			o.failed(t.ctx, err)
		}
	}
}

// room is how many messages the pool wants of each level and the more urgent ones.
func (t *taker) room() []int {
	room := make([]int, len(t.turns.levels))
	for i, s := range t.turns.levels {
		room[i] = t.p.credit(s.level)
	}
	return room
}

// rejoin makes the groups again, after what the consumer said of the limits: what
// took the groups away took the limits as well.
func (t *taker) rejoin() {
	background := context.WithoutCancel(t.ctx)
	if t.p.setLimits(background) == nil {
		_ = t.p.join(background)
	}
}

// take takes messages and waits when there was none to take.
func (t *taker) take(room []int) error {
	epoch := t.p.currentEpoch()
	// Not ended by the context: what is taken has to be handled.
	got, taken, err := t.turns.take(context.Background(), t.p.c, t.p.c.instance, room)
	n := 0
	for i, s := range t.turns.levels {
		if n += len(got[i]); len(got[i]) > 0 {
			t.p.deliver(s, got[i], epoch)
			t.p.overdue(s, t.turns.due[i])
		}
	}
	switch {
	case err != nil || n > 0:
		return err
	case taken.Why == "rate":
		t.sleep(taken.Wait)
	case taken.Why == "running", taken.Why == "blocked":
		t.sleep(roomPoll)
	case taken.Why == "returned":
		t.p.reclaimSoon()
		t.sleep(roomPoll)
	case taken.Why == "paused":
		t.p.lookSoon()
		t.sleep(roomPoll)
	case room[len(room)-1] == 0:
		if !t.turns.any(room) {
			t.sleep(urgentPoll)
		}
	case taken.Why == "empty":
		return t.reader.Await(t.ctx, t.turns.queues, taken.Last, readWait)
	}
	return nil
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
