package leanmq

import (
	"time"
)

// employLocked starts a worker, if there may be another one.
func (p *pool) employLocked() {
	switch {
	case p.batches.collecting:
		p.batches.wakeCollector() // it looks whether its batch is full
	case p.workers >= p.cfg.Concurrency:
	case !p.crew.take(p):
	case p.cfg.batch.handler == nil:
		p.workers++
		go p.work()
	case p.readyCount() > 0:
		p.workers++
		go p.workBatches()
	}
}

// next is the message to handle next, or nil.
func (p *pool) next() *Message {
	if len(p.sources) == 1 {
		return p.ready[0].pop()
	}
	for l := range p.due {
		if p.due[l] > 0 && !p.ready[l].empty() {
			p.due[l]--
			return p.ready[l].pop()
		}
	}
	return p.pick.next(&p.ready)
}

// overdue is told how many of a level were fetched because it was their turn: they do
// not wait for another turn here. Where the levels have weights each of them counts.
func (p *pool) overdue(s *source, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cfg.weights == [slots]int{} {
		p.due[s.level] = min(p.due[s.level]+n, p.ready[s.level].len())
	}
}

// ranLocked notes that handlers of n messages have returned, each after took.
func (p *pool) ranLocked(n int, took time.Duration) {
	p.running -= n
	if p.average == 0 {
		p.average = took
	}
	p.average += (took - p.average) / 8
}

// work runs handlers until no message waits. What there is to settle then, it settles
// by itself: nobody waits for the worker any more.
func (p *pool) work() {
	p.mu.Lock()
	lost, settler := false, false
	var turn time.Duration
	for !p.restingLocked() {
		if turn >= crewTurn && p.crew.yield(p, p.readyCount() > 0) {
			break
		}
		m := p.next()
		if m == nil {
			break
		}
		if m.lost {
			lost = true
			p.releaseLocked(m)
			continue
		}
		p.running++
		p.mu.Unlock()
		if settler {
			settler = false
			go p.settle()
		}
		took := p.handle(m, time.Now())
		p.mu.Lock()
		p.ranLocked(1, took)
		turn += took
		lost = lost || m.lost || m.tx == txSettled
		settler = p.toSettleLocked(m) || settler
		p.tellKeptLocked(m)
	}
	p.workers--
	p.signalLocked()
	p.mu.Unlock()
	p.crew.give()
	if settler {
		p.settle()
	}
	if lost {
		p.poke() // nothing is settled that would tell of the room
	}
}
