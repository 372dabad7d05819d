package leanmq

import (
	"context"
	"errors"
	"runtime/debug"
	"strings"
	"sync"
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
	inRead, hot, removed bool
}

func newPool(q *Queue, h Handler, cfg consumeConfig, base context.Context) *pool {
	p := &pool{
		c: q.c, q: q, h: h, cfg: cfg, base: base,
		log:     q.c.log.With().Str("queue", q.name).Logger(),
		reclaim: make(chan struct{}, 1),
		changed: make(chan struct{}),
	}
	p.held.next, p.held.prev = &p.held, &p.held
	return p
}

// fifo is a queue of messages on one slice.
type fifo struct {
	items []*Message
	head  int
}

func (f *fifo) push(m *Message) { f.items = append(f.items, m) }

func (f *fifo) pop() *Message {
	if f.head == len(f.items) {
		return nil
	}
	m := f.items[f.head]
	f.items[f.head] = nil
	f.head++
	if f.head == len(f.items) {
		f.items, f.head = f.items[:0], 0
	}
	return m
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
			m.Attempt = 1
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
	}
	p.workers--
	p.signalLocked()
	p.mu.Unlock()
}

// handle runs the handler for one message and judges its result.
func (p *pool) handle(m *Message) (took time.Duration) {
	start := time.Now()
	if m.expired(p.c, start) {
		p.log.Debug().Str("id", m.ID).Msg("expired: dropped")
		return 1 // the zero verdict is done
	}
	ctx, cancel := p.context(m)
	err := call(ctx, p.h, m)
	took = max(time.Since(start), 1)
	if err != nil {
		p.judge(ctx, m, err)
	}
	if m.inbox != "" {
		p.answer(m, err)
	}
	cancel(nil)
	return took
}

func (m *Message) expired(c *Client, now time.Time) bool {
	return !m.Deadline.IsZero() && !now.Before(c.local(m.Deadline))
}

// context makes the handler's context and lets the keeper end it.
func (p *pool) context(m *Message) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(p.base)
	p.mu.Lock()
	m.cancel = cancel
	p.mu.Unlock()
	if m.Deadline.IsZero() {
		return ctx, cancel
	}
	timed, stop := context.WithDeadlineCause(ctx, p.c.local(m.Deadline), ErrExpired)
	return timed, func(cause error) {
		stop()
		cancel(cause)
	}
}

// call turns a panic into an error.
func call(ctx context.Context, h Handler, m *Message) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return h(ctx, m)
}

// judge decides on a failed attempt.
func (p *pool) judge(ctx context.Context, m *Message, err error) {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, ErrDrainTimeout):
		m.verdict = verdict{outcome: outcomeKeep} // not its fault: handed back
		return
	case errors.Is(cause, ErrExpired):
		m.verdict = verdict{outcome: outcomeDone}
		m.inbox, m.reply = "", nil // nobody waits any more
		p.log.Info().Str("id", m.ID).AnErr("error", err).Msg("expired while it was handled: dropped")
		return
	}
	m.verdict = judge(err, m.Attempt, p.cfg.Retry)
	var pe *PanicError
	if errors.As(err, &pe) {
		p.log.Error().Str("id", m.ID).Int("attempt", m.Attempt).Interface("panic", pe.Value).
			Str("stack", string(pe.Stack)).Msg("handler panicked")
	}
	if m.verdict.outcome == outcomeDead && m.inbox == "" {
		p.log.Error().Str("id", m.ID).Int("attempt", m.Attempt).Str("reason", m.verdict.reason).
			AnErr("error", err).Msg("dead-lettered")
	}
}

// stop makes the pool start no further handler.
func (p *pool) stop() {
	p.mu.Lock()
	p.stopping = true
	p.mu.Unlock()
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
			m.cancel(cause)
		}
	}
	return p.workers
}

// reclaimSoon asks the keeper to look for messages without an owner.
func (p *pool) reclaimSoon() {
	select {
	case p.reclaim <- struct{}{}:
	default:
	}
}

func splitNotice(notice string) (kind, queue string) {
	kind, queue, _ = strings.Cut(notice, " ")
	return kind, queue
}
