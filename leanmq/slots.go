package leanmq

import (
	"sync"
	"time"
)

// slotTurn is how long a worker goes on while other pools wait for one: handlers
// slower than that take turns one by one, and fast ones do not pay for it.
const slotTurn = time.Millisecond

// slots are the workers that several pools share. A pool that has messages and
// finds none free stands in line; so busy pools take turns, and idle ones hold
// nothing.
type slots struct {
	mu   sync.Mutex
	free int
	line []*pool // each at most once; nobody stands in it while a slot is free
}

// take takes a slot for a worker of p, or puts p in line. It is called under p's
// lock. Without slots there is always one.
func (s *slots) take(p *pool) bool {
	if s == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free > 0 {
		s.free--
		return true
	}
	s.standLocked(p)
	return false
}

// yield reports whether a worker of p, which has more to do or not, should end
// because other pools stand in line, and puts p behind them. It is called under p's
// lock.
func (s *slots) yield(p *pool, more bool) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.line) == 0 {
		return false
	}
	if more {
		s.standLocked(p)
	}
	return true
}

func (s *slots) standLocked(p *pool) {
	if !p.inLine {
		p.inLine = true
		s.line = append(s.line, p)
	}
}

// give hands a slot to the first one in line that still has work for it. It is
// called under no pool's lock.
func (s *slots) give() {
	if s == nil {
		return
	}
	for {
		s.mu.Lock()
		if len(s.line) == 0 {
			s.free++
			s.mu.Unlock()
			return
		}
		next := s.line[0]
		s.line = append(s.line[:0], s.line[1:]...)
		next.inLine = false
		s.mu.Unlock()
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
	for ; ready > 1 && p.slots.take(p); ready-- {
		p.workers++
		go p.work()
	}
	return true
}
