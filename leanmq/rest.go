package leanmq

// rest makes the pool take no more messages and hand back those that no handler
// has seen. What runs goes on for as long as it takes, and keeps its lease.
func (p *pool) rest() {
	p.mu.Lock()
	p.resting = true
	p.mu.Unlock()
	p.lookSoon() // the keeper hands back, as in a pause
}

// wake ends a rest.
func (p *pool) wake() {
	p.mu.Lock()
	p.resting = false
	for range p.readyCount() {
		p.employLocked()
	}
	p.mu.Unlock()
	p.lookSoon()
	p.reclaimSoon() // what was handed back comes first
}

// idle reports whether the pool holds no message.
func (p *pool) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.workers == 0 && p.nheld == 0 && !p.settling
}
