package leanmq

import (
	"sync"
	"time"
)

// crewTurn is how long a worker goes on while other pools wait for one: handlers
// slower than that take turns one by one, and fast ones do not pay for it.
const crewTurn = time.Millisecond

// crew is the workers that several pools share. A pool that has messages and
// finds none free stands in line; so busy pools take turns, and idle ones hold
// nothing.
type crew struct {
	mu   sync.Mutex
	free int
	line []*pool // each at most once; nobody stands in it while a slot is free
}

// take takes a slot for a worker of p, or puts p in line. It is called under p's
// lock. Without slots there is always one.
func (w *crew) take(p *pool) bool {
	if w == nil {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.free > 0 {
		w.free--
		return true
	}
	w.standLocked(p)
	return false
}

// yield reports whether a worker of p, which has more to do or not, should end
// because other pools stand in line, and puts p behind them. It is called under p's
// lock.
func (w *crew) yield(p *pool, more bool) bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.line) == 0 {
		return false
	}
	if more {
		w.standLocked(p)
	}
	return true
}

func (w *crew) standLocked(p *pool) {
	if !p.inLine {
		p.inLine = true
		w.line = append(w.line, p)
	}
}

// give hands a slot to the first one in line that still has work for it. It is
// called under no pool's lock.
func (w *crew) give() {
	if w == nil {
		return
	}
	for {
		w.mu.Lock()
		if len(w.line) == 0 {
			w.free++
			w.mu.Unlock()
			return
		}
		next := w.line[0]
		w.line = append(w.line[:0], w.line[1:]...)
		next.inLine = false
		w.mu.Unlock()
		if next.employWith() {
			return
		}
	}
}

// employWith starts a worker in a slot that was handed over, if there is work.
func (p *pool) employWith() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	ready := p.readyCount()
	if ready == 0 || p.restingLocked() || p.workers >= p.cfg.Concurrency {
		return false
	}
	p.workers++
	go p.work()
	for ; ready > 1 && p.crew.take(p); ready-- {
		p.workers++
		go p.work()
	}
	return true
}
