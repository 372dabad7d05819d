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
