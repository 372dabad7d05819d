package leanmq

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

const (
	// reclaimBatch is how many messages one reclaim takes over at most.
	reclaimBatch = 100
	// consumerGone is how long a consumer without messages is remembered.
	consumerGone = time.Hour
)

// startKeeper keeps the leases of one pool until stop is called.
func (p *pool) startKeeper() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.keep(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// keep renews leases and takes over what others let lapse, every third of a
// lease and whenever something is handed back.
func (p *pool) keep(ctx context.Context) {
	every := p.cfg.Lease / 3
	// A fleet that was started together should not reclaim together.
	t := time.NewTimer(rand.N(every))
	defer t.Stop()
	reaped := time.Now()
	p.reclaimSoon() // what was handed back before we came
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.reclaim:
		case <-p.control:
			if err := p.lookAtSettings(ctx); err != nil {
				p.settingsUnknown()
			}
			continue
		case <-t.C:
			t.Reset(every)
			p.renew(ctx)
			if p.currentEpoch() == "" { // flushed away, or taken for gone
				_ = p.join(context.WithoutCancel(ctx)) // or it might come after the drain
			}
			if err := p.c.syncClock(ctx); err != nil {
				continue // the fetcher reports outages
			}
		}
		p.takeOver(ctx)
		p.trim(ctx)
		if time.Since(reaped) > consumerGone/2 {
			reaped = time.Now()
			for _, s := range p.levels() {
				if n, err := s.q.Reap(ctx, consumerGone); err == nil && n > 0 {
					p.log.Debug().Int("consumers", n).Msg("removed consumers that are gone")
				}
			}
		}
	}
}

// renew renews the lease of everything held, and ends the handlers of what
// turns out to be lost.
func (p *pool) renew(ctx context.Context) {
	for _, s := range p.levels() {
		p.renewLevel(ctx, s)
	}
}

func (p *pool) renewLevel(ctx context.Context, s *source) {
	p.mu.Lock()
	held := make([]*Message, 0, p.at[s.level])
	ids := make([]string, 0, p.at[s.level])
	for m := p.held.next; m != &p.held; m = m.next {
		if !m.settling && m.tx != txSettled && m.source == s {
			held, ids = append(held, m), append(ids, m.entry)
		}
	}
	p.mu.Unlock()
	for len(ids) > 0 {
		n := min(len(ids), store.MaxRenew)
		epoch, lost, err := s.q.Renew(ctx, p.c.instance, ids[:n])
		if err != nil {
			return // the next tick tries again; the fetcher reports outages
		}
		p.c.observeLost(p.renewed(held[:n], epoch, lost))
		held, ids = held[n:], ids[n:]
	}
}

// renewed notes what came of a renewal and returns what is lost, for hooks.
func (p *pool) renewed(held []*Message, epoch string, lost []string) (tell []MessageInfo) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.epoch = epoch
	gone := make(map[string]bool, len(lost))
	for _, id := range lost {
		gone[id] = true
	}
	for _, m := range held {
		switch {
		case gone[m.entry]:
			tell = p.loseLocked(m, "another worker has the message", tell)
		case !m.settling && m.tx == txNone && m.next != nil: // else its settling tells
			m.epoch = epoch
		}
	}
	return tell
}

// takeOver reclaims messages as long as there are some and workers are free. What
// is left is taken when there is room again.
func (p *pool) takeOver(ctx context.Context) {
	p.mu.Lock()
	paused := p.settings.Paused
	p.mu.Unlock()
	if paused {
		p.handBackLapsed(ctx)
		return
	}
	p.owed.Store(true)
	for _, s := range mostUrgentFirst(p.levels()) {
		if !p.takeOverLevel(ctx, s) {
			return // the next tick tries again
		}
	}
	p.owed.Store(false)
}

// takeOverLevel reports whether nothing is left to take over.
func (p *pool) takeOverLevel(ctx context.Context, s *source) bool {
	for {
		n := min(p.credit(s.level), reclaimBatch)
		if n == 0 {
			return false
		}
		epoch := p.currentEpoch()
		// Not ended by ctx: what is taken over by a command that nobody waits for would
		// be nobody's, and the drain could hand everything back before it arrives.
		entries, buried, err := s.q.Reclaim(context.WithoutCancel(ctx), p.c.instance, p.cfg.Lease, n, p.cfg.MaxDeliveries)
		if err != nil {
			return false
		}
		if buried > 0 {
			p.log.Error().Int("messages", buried).Str("reason", ReasonCrashed).Msg("dead-lettered")
			p.c.observeCrashed(p.q.sq, buried)
		}
		if len(entries) > 0 {
			p.log.Info().Int("messages", len(entries)).Msg("took over messages of workers that are gone")
			p.deliver(s, entries, epoch)
		}
		if len(entries)+buried < n {
			return true
		}
	}
}

// reclaimSoon asks the keeper to look for messages without an owner.
func (p *pool) reclaimSoon() { signal(p.reclaim) }
