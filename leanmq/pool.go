package leanmq

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/leanmq/leanmq/internal/store"
)

const (
	// prefetchTime is how much work a pool holds beyond what its workers are
	// busy with. It hides the round trip of the next fetch; what a slow handler
	// would only let grow old is left to other processes.
	prefetchTime = 10 * time.Millisecond
	maxPrefetch  = 1024
	// maxFetch bounds one read, so that the first message of a batch does not
	// wait for a long reply to be complete.
	maxFetch = 256
)

// pool runs the handlers of one consumed queue. It holds a message from its
// delivery until its settling is confirmed, in three steps: waiting for a
// worker, running, and settling.
type pool struct {
	c    *Client
	q    *Queue
	h    Handler
	cfg  consumeConfig
	base context.Context // values for handlers; never ends
	log  zerolog.Logger

	fetch   *fetcher
	reclaim chan struct{} // asks the keeper to reclaim now

	abandoned atomic.Bool // stop trying to settle
	owed      atomic.Bool // there may be more to reclaim than there was room for

	mu       sync.Mutex
	epoch    string // the latest one heard of
	ready    fifo
	held     Message // ring of all messages held
	nheld    int
	workers  int
	average  time.Duration // of the handler's run time
	settles  []*Message
	settling bool
	stopping bool
	changed  chan struct{} // closed and replaced while stopping
	// fetcher's own, guarded by its lock
	inRead, hot bool
}

func newPool(base context.Context, q *Queue, h Handler, cfg consumeConfig) *pool {
	p := &pool{
		c: q.c, q: q, h: h, cfg: cfg, base: base,
		log:     q.c.log.With().Str("queue", q.name).Logger(),
		reclaim: make(chan struct{}, 1),
		changed: make(chan struct{}),
	}
	p.held.next, p.held.prev = &p.held, &p.held
	return p
}

// limit is how many messages the pool may hold, and low how few it holds when
// it wants more: refilling half at a time keeps the batches large.
func (p *pool) limit() (limit, low int) {
	spare := 0
	if p.average > 0 {
		spare = min(int(int64(p.cfg.Concurrency)*int64(prefetchTime)/int64(p.average)), maxPrefetch)
	}
	limit = p.cfg.Concurrency + spare
	return limit, limit - min(spare/2, maxFetch)
}

// credit is how many more messages the pool wants now.
func (p *pool) credit() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.creditLocked()
}

func (p *pool) creditLocked() int {
	limit, low := p.limit()
	if p.stopping || p.nheld >= low {
		return 0
	}
	return min(limit-p.nheld, maxFetch)
}

// currentEpoch is the epoch that messages read from now on are owned under.
func (p *pool) currentEpoch() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.epoch
}

// deliver takes entries that were read, or reclaimed, under epoch.
func (p *pool) deliver(entries []store.Entry, epoch string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for m := range messages(p.q.name, entries) {
		if p.holds(m) {
			continue // reclaimed from ourselves while it runs
		}
		m.epoch = epoch
		m.next, m.prev = &p.held, p.held.prev
		m.prev.next, m.next.prev = m, m
		p.nheld++
		if m.malformed != nil {
			m.verdict = verdict{outcome: outcomeDead, reason: ReasonMalformed, err: m.malformed.Error()}
			m.Attempt = 0 // no handler sees it
			p.settleLocked(m)
			continue
		}
		p.ready.push(m)
		if p.workers < p.cfg.Concurrency {
			p.workers++
			go p.work()
		}
	}
}

// holds reports whether a message with the same entry is held already. Only
// redelivered ones can be.
func (p *pool) holds(m *Message) bool {
	if m.Deliveries <= 1 {
		return false
	}
	for h := p.held.next; h != &p.held; h = h.next {
		if h.entry == m.entry {
			return true
		}
	}
	return false
}

// release drops a message from what is held.
func (p *pool) releaseLocked(m *Message) {
	m.prev.next, m.next.prev = m.next, m.prev
	m.next, m.prev = nil, nil
	p.nheld--
	p.signalLocked()
}

// work runs handlers until no message waits.
func (p *pool) work() {
	p.mu.Lock()
	for !p.stopping {
		m := p.ready.pop()
		if m == nil {
			break
		}
		if m.lost {
			p.releaseLocked(m)
			continue
		}
		p.mu.Unlock()
		took := p.handle(m)
		p.mu.Lock()
		if p.average == 0 {
			p.average = took
		}
		p.average += (took - p.average) / 8
		p.settleLocked(m)
		if m.run != nil && !m.settling { // nobody else is going to tell
			p.mu.Unlock()
			p.observeKept(m)
			p.mu.Lock()
		}
	}
	p.workers--
	p.signalLocked()
	p.mu.Unlock()
}
