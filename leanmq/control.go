package leanmq

import (
	"context"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

// Pause stops the handing out of the queue's messages in all processes: those
// running are finished, those fetched and not begun are handed back. Processes see
// it within a second, mostly at once. Sends go on. Pausing twice is fine.
func (q *Queue) Pause(ctx context.Context) error { return q.setPaused(ctx, "pause", true) }

// Resume ends a Pause. Resuming what is not paused is fine.
func (q *Queue) Resume(ctx context.Context) error { return q.setPaused(ctx, "resume", false) }

func (q *Queue) setPaused(ctx context.Context, op string, paused bool) error {
	if q.err != nil {
		return q.wrap(op, "", q.err)
	}
	return q.wrap(op, "", q.sq.SetPaused(ctx, paused))
}

// drainPoll is how often Drain looks.
const drainPoll = 20 * time.Millisecond

// Drain pauses the queue and waits until no process handles any of its messages:
// what is left is ready, scheduled or dead. When ctx ends first it returns the
// cause, and the queue stays paused. [Queue.Resume] lets it go on.
func (q *Queue) Drain(ctx context.Context) error {
	if err := q.Pause(ctx); err != nil {
		return err
	}
	for {
		info, err := q.Info(ctx)
		if err != nil || info.InFlight == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return q.wrap("drain", "", context.Cause(ctx))
		case <-time.After(drainPoll):
		}
	}
}

// lookSoon asks the keeper to look at the queue's settings.
func (p *pool) lookSoon() {
	select {
	case p.control <- struct{}{}:
	default:
	}
}

// settingsAre is told the version of the settings at every look for messages that
// are due.
func (p *pool) settingsAre(version int64) {
	p.mu.Lock()
	known := p.settings.Version == version
	p.mu.Unlock()
	if !known {
		p.lookSoon()
	}
}

// settingsUnknown makes the next look find them changed.
func (p *pool) settingsUnknown() {
	p.mu.Lock()
	p.settings.Version = -1
	p.mu.Unlock()
}

// lookAtSettings learns the queue's settings and acts on them: which levels to
// read, by whom, and whether at all.
func (p *pool) lookAtSettings(ctx context.Context) error {
	settings, err := p.q.sq.Control(ctx)
	if err != nil {
		return err
	}
	if settings.Version == 0 && p.cfg.limits != nil { // flushed away
		if err := p.setLimits(ctx); err != nil {
			return err
		}
		if settings, err = p.q.sq.Control(ctx); err != nil {
			return err
		}
	}
	for _, level := range settings.Levels {
		if err := p.addLevel(ctx, level); err != nil {
			return err
		}
	}
	canceled, err := p.q.sq.CanceledIDs(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	before := p.settings
	p.settings = settings
	p.canceled = canceled
	p.cancels.Store(len(canceled) > 0)
	paused := settings.Paused && !before.Paused
	p.mu.Unlock()
	p.cancelHeld()
	p.fetchWith(settings.Limits)
	if paused {
		p.pauseNow()
	}
	if before.Paused && !settings.Paused {
		p.reclaimSoon() // what was handed back
	}
	p.poke()
	return nil
}

// addLevel makes the pool read a further level, if it does not yet.
func (p *pool) addLevel(ctx context.Context, level int) error {
	for _, s := range p.levels() {
		if s.level == level {
			return nil
		}
	}
	s := &source{p: p, q: p.q.sq.Level(level), level: level}
	if err := s.join(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	p.sources = append(p.sources[:len(p.sources):len(p.sources)], s)
	p.mu.Unlock()
	return nil
}

// fetchWith decides who fetches for the pool: the client's fetcher, or a taker while
// the queue has limits or several levels.
func (p *pool) fetchWith(l store.Limits) {
	p.switching.Lock() // the drain stops what fetches meanwhile
	defer p.switching.Unlock()
	p.mu.Lock()
	sources, old := p.sources, p.taker
	stopping, special := p.stopping, l != store.Limits{} || len(sources) > 1
	p.mu.Unlock()
	switch {
	case stopping, old != nil && special && len(old.turns.levels) == len(sources):
		return
	case old != nil:
		old.stop()
	case special:
		p.fetch.remove(sources)
	}
	var t *taker
	if special {
		t = newTaker(p)
	}
	p.mu.Lock()
	p.taker = t
	p.mu.Unlock()
	if special {
		t.start()
	} else {
		p.fetch.add(sources[0])
	}
}

// stopFetching makes sure that nothing more is delivered.
func (p *pool) stopFetching() {
	p.mu.Lock()
	p.stopping = true
	p.mu.Unlock()
	p.switching.Lock()
	defer p.switching.Unlock()
	p.mu.Lock()
	t, sources := p.taker, p.sources
	p.mu.Unlock()
	p.fetch.remove(sources)
	if t != nil {
		t.stop()
	}
}

// pauseNow hands back what no handler has seen.
func (p *pool) pauseNow() {
	p.fetch.passBy(p.levels()) // nothing is read any more: there is no credit
	p.mu.Lock()
	unseen := p.unseenLocked()
	p.mu.Unlock()
	p.handBack(unseen)
}
