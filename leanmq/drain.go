package leanmq

import (
	"context"
	"sync"
	"time"
)

const (
	// cancelGrace is how long a canceled handler has to return.
	cancelGrace = time.Second
	// settleGrace bounds the last words to a Redis that may be away.
	settleGrace = 3 * time.Second
)

// drain stops fetching, hands back what no handler has seen and waits for the
// running handlers, whose leases the keeper renews until then.
func (p *pool) drain(stopKeeper func()) error {
	p.stopFetching()
	unseen := p.stop()
	var handingBack sync.WaitGroup
	handingBack.Go(func() { p.handBack(unseen) })
	var err error
	if !p.waitIdle(p.cfg.DrainTimeout) {
		n := p.cancelAll(ErrDrainTimeout)
		err = ErrDrainTimeout
		p.log.Warn().Int("handlers", n).Dur("after", p.cfg.DrainTimeout).Msg("drain timeout: handlers canceled")
		p.waitIdle(cancelGrace)
	}
	stopKeeper()
	handingBack.Wait()
	if !p.waitSettled(settleGrace) {
		p.abandon()
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleGrace)
	defer cancel()
	n := 0
	for _, s := range p.levels() {
		released, rerr := s.q.Release(ctx, p.c.instance)
		if rerr != nil {
			p.log.Warn().Err(rerr).Msg("could not hand messages back; they are redelivered after the lease")
			break
		}
		n += released
	}
	if n > 0 {
		p.log.Info().Int("messages", n).Msg("handed back")
	}
	return err
}

// stop makes the pool start no further handler.
func (p *pool) stop() (unseen unseenMessages) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopping = true
	p.batches.wakeCollector()
	return p.unseenLocked()
}

// unseenMessages are entry ids by level.
type unseenMessages [slots][]string

// unseenLocked lets go of the messages that wait for a worker.
func (p *pool) unseenLocked() (unseen unseenMessages) {
	for level := range p.ready {
		for m := p.ready[level].pop(); m != nil; m = p.ready[level].pop() {
			unseen[level] = append(unseen[level], m.entry)
			p.releaseLocked(m)
		}
	}
	return unseen
}

// handBack hands messages back at once: they must not wait for slow handlers. If
// it fails, the end of the drain does it, or their lease runs out.
func (p *pool) handBack(unseen unseenMessages) {
	ctx, cancel := context.WithTimeout(context.Background(), settleGrace)
	defer cancel()
	n := 0
	for _, s := range p.levels() {
		back, err := s.q.HandBack(ctx, p.c.instance, unseen[s.level])
		if err != nil {
			return
		}
		n += back
	}
	if n > 0 {
		p.log.Info().Int("messages", n).Msg("handed back")
	}
}

func (p *pool) signalLocked() {
	if p.stopping {
		close(p.changed)
		p.changed = make(chan struct{})
	}
}

// waitFor waits until cond, called under the lock, is true. It reports false
// after d.
func (p *pool) waitFor(d time.Duration, cond func() bool) bool {
	timeout := time.NewTimer(d)
	defer timeout.Stop()
	for {
		p.mu.Lock()
		if cond() {
			p.mu.Unlock()
			return true
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-timeout.C:
			return false
		}
	}
}

func (p *pool) waitIdle(d time.Duration) bool {
	return p.waitFor(d, func() bool { return p.workers == 0 })
}

func (p *pool) waitSettled(d time.Duration) bool {
	return p.waitFor(d, func() bool { return !p.settling })
}

// cancelAll ends the contexts of running handlers and returns their number.
func (p *pool) cancelAll(cause error) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for m := p.held.next; m != &p.held; m = m.next {
		if m.cancel != nil {
			m.cancel.End(cause)
		}
	}
	return p.workers
}

// abandon makes the settler give up, and waits for it: the client's time-outs
// bound the command that is under way.
func (p *pool) abandon() {
	p.abandoned.Store(true)
	p.waitSettled(2 * settleGrace)
}
