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

const (
	// drainPoll is how often Drain looks.
	drainPoll = 20 * time.Millisecond
	// pauseSeen is when all consumers have seen a pause, even if they missed the
	// notice of it.
	pauseSeen = schedulePoll + 250*time.Millisecond
)

// Drain pauses the queue and waits until no process handles any of its messages:
// what is left is ready, scheduled or dead. If the queue has consumers it takes
// about 3 s, so that all have surely seen the pause; what a worker had that died is
// waited for until its lease has run out and another one has noticed. When ctx ends
// first it returns the cause, and the queue stays paused. [Queue.Resume] lets it go
// on.
func (q *Queue) Drain(ctx context.Context) error {
	if err := q.Pause(ctx); err != nil {
		return err
	}
	for begin := time.Now(); ; {
		info, err := q.Info(ctx)
		switch {
		case ctx.Err() != nil:
			return q.wrap("drain", "", context.Cause(ctx))
		case err != nil:
			return err
		case info.InFlight == 0 && (info.Consumers == 0 || time.Since(begin) > pauseSeen):
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(drainPoll):
		}
	}
}

// lookSoon asks the keeper to look at the queue's settings.
func (p *pool) lookSoon() { signal(p.control) }

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
	if settings.Version == 0 && (p.cfg.limits != nil || p.cfg.types != nil) { // flushed away
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
	if err := p.learnCanceled(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	before, resting := p.settings, p.resting
	p.settings = settings
	p.mu.Unlock()
	p.fetchWith(settings.Limits)
	switch {
	case settings.Paused, resting: // again, perhaps: with a resume in between that was missed
		p.pauseNow()
	case before.Paused:
		p.goOn(ctx)
	}
	p.poke()
	if before.Version != settings.Version {
		p.nudge(ctx)
	}
	return nil
}

// nudge ends the wait of a taker for something new: its group may have been rewound.
func (p *pool) nudge(ctx context.Context) {
	p.mu.Lock()
	t := p.taker
	p.mu.Unlock()
	if t != nil {
		t.reader.Interrupt(ctx)
	}
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

// restingLocked reports whether no further handler is started.
func (p *pool) restingLocked() bool { return p.stopping || p.resting || p.settings.Paused }

// pauseNow hands back what no handler has seen. What is delivered later, because it
// was under way, has the keeper look again (deliver).
func (p *pool) pauseNow() {
	p.fetch.passBy(p.levels()) // nothing is read any more: there is no credit
	p.mu.Lock()
	unseen := p.unseenLocked()
	p.batches.wakeCollector()
	p.mu.Unlock()
	p.handBack(unseen)
}

// goOn ends a pause: what was handed back comes before what was sent meanwhile.
func (p *pool) goOn(ctx context.Context) {
	p.mu.Lock()
	for range p.readyCount() {
		p.employLocked()
	}
	p.mu.Unlock()
	p.takeOver(ctx)
}

// handBackLapsed hands back what workers had that died, while the queue is paused
// and nobody takes it over.
func (p *pool) handBackLapsed(ctx context.Context) {
	p.renew(ctx) // or it might be our own
	for _, s := range p.levels() {
		n, err := s.q.HandBackLapsed(ctx, p.cfg.Lease)
		if err != nil {
			return // the next tick tries again
		}
		if n > 0 {
			p.log.Info().Int("messages", n).Msg("handed back messages of workers that are gone")
		}
	}
}
