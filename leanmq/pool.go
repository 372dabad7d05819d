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

	fetch    *fetcher
	unlisten func()        // to the notices of the queue
	reclaim  chan struct{} // asks the keeper to reclaim now
	control  chan struct{} // asks the keeper to look at the queue's settings now

	abandoned atomic.Bool // stop trying to settle
	cancels   atomic.Bool // there are canceled messages
	owed      atomic.Bool // there may be more to reclaim than there was room for
	switching sync.Mutex  // held while who fetches changes
	crew      *crew       // shared by the pools of partitions; nil: the workers are its own
	inLine    bool        // for one of them, guarded by their lock

	mu       watched
	epoch    string // the latest one heard of
	ready    [slots]fifo
	due      [slots]int // how many of them go before more urgent ones
	pick     picker
	batches  batches
	held     Message // ring of all messages held
	nheld    int
	at       [slots]int // nheld by level
	workers  int
	running  int           // messages that handlers have
	average  time.Duration // of the handler's run time
	settles  []*Message
	settling bool
	stopping bool
	resting  bool          // see rest
	changed  chan struct{} // closed and replaced while stopping
	holder   *holder
	sources  []*source     // the queue's levels in use; the first is the normal one
	settings store.Control // what the queue's settings were when last looked at
	taker    *taker        // fetches while the queue has limits or several levels
	canceled cancellations
	topic    *Topic // of the group that the queue belongs to, or nil
}

// source is the stream of one priority level of a pool's queue.
type source struct {
	p     *pool
	q     *store.Queue
	level int
	// The fetcher's own, guarded by its lock: it is part of the read under way;
	// it filled its last read; the pool's credit and epoch at a version of its lock.
	inRead, hot bool
	credit      int
	epoch       string
	version     uint64
	held        *holder // where there is no pool
	newest      string  // entry of a topic that was delivered, guarded by the pool's lock
}

func newPool(base context.Context, q *Queue, h Handler, cfg consumeConfig) *pool {
	p := &pool{
		c: q.c, q: q, h: h, cfg: cfg, base: base,
		log:     q.c.log.With().Str("queue", q.name).Logger(),
		reclaim: make(chan struct{}, 1),
		control: make(chan struct{}, 1),
		changed: make(chan struct{}),
		pick:    picker{weights: cfg.weights},
		batches: batches{wake: make(chan struct{}, 1)},
	}
	p.holder = &holder{q.c, q.c.instance, &p.cfg, &p.log}
	p.sources = q.sources(p)
	if q.sq.Topic != "" {
		p.topic = q.c.Topic(q.sq.TopicName())
	}
	p.held.next, p.held.prev = &p.held, &p.held
	return p
}

// limit is how many messages the pool may hold, and low how few it holds when
// it wants more: refilling half at a time keeps the batches large.
func (p *pool) limit() (limit, low int) {
	spare := 0
	limited := p.settings.Limits != store.Limits{} // what is taken counts against them
	if p.average > 0 && !limited {
		spare = min(int(int64(p.cfg.Concurrency)*int64(prefetchTime)/int64(p.average)), maxPrefetch)
	}
	limit = p.cfg.Concurrency*max(p.cfg.batch.Size, 1) + spare
	return limit, limit - min(spare/2, maxFetch)
}

// credit is how many more messages of a level the pool wants now. Less urgent ones
// that no worker is free for do not count: they must not keep more urgent ones out.
func (p *pool) credit(level int) (n int) {
	p.mu.look(func() { n = p.creditLocked(level) })
	return n
}

func (p *pool) creditLocked(level int) int {
	if p.restingLocked() {
		return 0
	}
	held := p.nheld
	if len(p.sources) > 1 {
		waiting := -max(p.cfg.Concurrency*max(p.cfg.batch.Size, 1)-p.running, 0)
		for _, less := range lessUrgent(level) {
			waiting += p.ready[less].len()
		}
		held -= max(waiting, 0)
	}
	limit, low := p.limit()
	if held >= low {
		return 0
	}
	return min(limit-held, maxFetch)
}

// poke tells whoever fetches for the pool that it may want messages again.
func (p *pool) poke() {
	p.mu.Lock()
	t, normal := p.taker, p.sources[0]
	p.mu.Unlock()
	if t != nil {
		t.poke()
		return
	}
	p.fetch.poke(normal)
}

// currentEpoch is the epoch that messages read from now on are owned under.
func (p *pool) currentEpoch() (epoch string) {
	p.mu.look(func() { epoch = p.epoch })
	return epoch
}

// deliver takes entries of a level that were read, or reclaimed, under epoch.
func (p *pool) deliver(s *source, entries []store.Entry, epoch string) {
	var lost []MessageInfo
	defer func() { p.c.observeLost(lost) }() // not under the lock
	p.mu.Lock()
	defer p.mu.Unlock()
	for m := range messages(p.q.name, entries) {
		m.epoch, m.source = epoch, s
		switch held := p.heldAs(m); {
		case held == nil:
		case m.Deliveries > 1:
			continue // reclaimed from ourselves while it runs
		default:
			lost = p.loseLocked(held, "its group was rewound", lost)
		}
		m.next, m.prev = &p.held, p.held.prev
		m.prev.next, m.next.prev = m, m
		p.nheld++
		p.at[s.level]++
		if m.malformed != nil {
			m.verdict = verdict{outcome: outcomeDead, reason: ReasonMalformed, err: m.malformed.Error()}
			m.Attempt = 0 // no handler sees it
			p.settleLocked(m)
			continue
		}
		p.ready[s.level].push(m)
		p.employLocked()
	}
	if p.settings.Paused || p.resting {
		p.lookSoon() // it is handed back then
	}
}

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

// heldAs returns the message with the same entry that is held already, or nil. Only
// what is delivered again can have one.
func (p *pool) heldAs(m *Message) *Message {
	if m.Deliveries <= 1 && !m.source.rewound(m.entry) {
		return nil
	}
	for h := p.held.next; h != &p.held; h = h.next {
		if h.entry == m.entry && h.source == m.source && !h.lost {
			return h
		}
	}
	return nil
}

// rewound is told of each new entry in turn, and reports whether it is one that a
// topic's group had before.
func (s *source) rewound(entry string) bool {
	if s.level != published {
		return false
	}
	if s.newest == "" || store.Before(s.newest, entry) {
		s.newest = entry
		return false
	}
	return true
}

// loseLocked ends the handler of a message that this process does not own any more,
// and adds it to those that hooks are to be told of.
func (p *pool) loseLocked(m *Message, why string, tell []MessageInfo) []MessageInfo {
	if m.lost || m.settling || m.tx != txNone || m.next == nil { // told already, or its settling tells
		return tell
	}
	m.lost = true
	if m.cancel != nil {
		m.cancel.End(ErrLeaseLost)
	}
	p.log.Warn().Str("id", m.ID).Msg("lease lost: " + why)
	if p.c.hooks != nil {
		tell = append(tell, m.info())
	}
	return tell
}

// release drops a message from what is held.
func (p *pool) releaseLocked(m *Message) {
	m.prev.next, m.next.prev = m.next, m.prev
	m.next, m.prev = nil, nil
	p.nheld--
	p.at[m.source.level]--
	p.signalLocked()
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
		p.running--
		if p.average == 0 {
			p.average = took
		}
		p.average += (took - p.average) / 8
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
