package leanmq

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/leanmq/leanmq/internal/store"
)

// pullWait is how long one read of a puller waits: nobody tells it what was
// scheduled or handed back meanwhile.
const pullWait = 100 * time.Millisecond

// Puller takes messages one by one for those who drive their own loop. Nothing
// happens by itself: no lease is renewed, no retry is decided, and a message
// that is not settled within its lease goes to someone else.
//
// It is safe for concurrent use; concurrent Receive calls wait for each other.
type Puller struct {
	q      *Queue
	cfg    consumeConfig
	name   string
	reader *store.Reader
	turn   chan struct{} // held by the Receive that reads
	log    zerolog.Logger
	holder *holder
	joined bool
	// started is true once its group, if it is a topic's, was made as the options say.
	started bool
	epoch   string
	levels  []*source // of the queue, the most urgent first
	// What the queue's settings were when last looked at.
	settings store.Control
	canceled cancellations
	turns    turns
}

// Puller returns a puller of the queue. Of the options, Lease, Retry,
// MaxDeliveries, OnExpired and the rules about errors have a meaning. Close it.
func (q *Queue) Puller(opts ...ConsumeOption) (*Puller, error) {
	cfg, err := q.consumeConfig(opts)
	if err != nil {
		return nil, q.wrap("pull", "", err)
	}
	p := &Puller{
		q: q, cfg: cfg, name: q.c.instance + "/" + newToken()[:6],
		reader: q.c.s.NewReader(), turn: make(chan struct{}, 1),
		log: q.c.log.With().Str("queue", q.name).Logger(),
	}
	p.holder = &holder{q.c, p.name, &p.cfg, &p.log}
	return p, nil
}

// Receive returns up to n messages, those of crashed workers first. It waits for
// the first one until ctx ends, and then returns ctx's cause; with a context
// that has ended already it does not wait.
func (p *Puller) Receive(ctx context.Context, n int) ([]*Pulled, error) {
	if err := checkCount(n); err != nil {
		return nil, p.q.wrap("receive", "", err)
	}
	select {
	case p.turn <- struct{}{}:
	default:
		select {
		case p.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, p.q.wrap("receive", "", context.Cause(ctx))
		}
	}
	defer func() { <-p.turn }()
	returned := make(chan struct{})
	defer close(returned)
	stop := context.AfterFunc(ctx, func() { p.interruptUntil(returned) })
	defer stop()
	for {
		out, err := p.receive(ctx, n)
		if err != nil || len(out) > 0 {
			return out, p.q.wrap("receive", "", err)
		}
		if ctx.Err() != nil {
			return nil, p.q.wrap("receive", "", context.Cause(ctx))
		}
	}
}

// interruptUntil ends the read of a Receive whose context has ended. The read may
// have been issued and not yet arrived: so it is tried until Receive returns.
func (p *Puller) interruptUntil(returned <-chan struct{}) {
	for {
		select {
		case <-returned:
			return
		case <-time.After(time.Millisecond):
			p.reader.Interrupt(context.Background())
		}
	}
}

// receive reads once: what others let lapse, or else what is new.
func (p *Puller) receive(ctx context.Context, n int) ([]*Pulled, error) {
	background := context.WithoutCancel(ctx) // a reply that nobody reads is a lost lease
	if !p.joined {
		if err := p.join(background); err != nil {
			return nil, err
		}
	}
	var out []*Pulled
	for _, s := range p.levels {
		if p.settings.Paused {
			break
		}
		epoch := p.epoch
		entries, buried, err := s.q.Reclaim(background, p.name, p.cfg.Lease, n-len(out), p.cfg.MaxDeliveries)
		if err != nil {
			p.joined = false
			return nil, err
		}
		p.q.c.observeCrashed(p.q.sq, buried)
		if out = append(out, p.pulled(background, s, entries, epoch)...); len(out) == n {
			break
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	stand, err := p.q.c.promote(background, []*store.Queue{p.q.sq})
	if err != nil {
		return nil, err
	}
	if stand[0].Control != p.settings.Version {
		p.joined = false // look again at what is read
		return nil, nil
	}
	wait := pullWait
	switch {
	case ctx.Err() != nil:
		wait = 0
	case stand[0].Next >= 0:
		wait = min(wait, max(stand[0].Next, time.Millisecond))
	}
	if out, err = p.read(ctx, n, wait); err != nil {
		p.joined = false
	}
	return out, err
}

// join makes the puller a consumer of all levels of the queue.
func (p *Puller) join(ctx context.Context) error {
	settings, err := p.q.sq.Control(ctx)
	if err != nil {
		return err
	}
	if err := p.start(ctx, settings.Version == 0); err != nil {
		return err
	}
	p.levels = p.levels[:0]
	all := p.q.sources(nil)
	for _, level := range settings.Levels {
		all = append(all, &source{q: p.q.sq.Level(level), level: level})
	}
	for _, s := range mostUrgentFirst(all) {
		s.held = p.holder
		if p.epoch, err = s.q.Join(ctx, p.name); err != nil {
			return err
		}
		p.levels = append(p.levels, s)
	}
	p.turns = newTurns(p.levels, p.cfg.weights)
	p.settings, p.joined = settings, true
	news, err := p.canceled.news(ctx, p.q.sq)
	if err == nil {
		p.canceled.learn(news)
	}
	return err
}

// start sets the filter of a topic's group and makes the group, the first time. Later on
// others may have set another filter; where everything was flushed away there is none,
// and the group begins at the beginning (see Join).
func (p *Puller) start(ctx context.Context, flushed bool) error {
	if !p.started || flushed {
		if err := p.q.setTypes(ctx, &p.cfg); err != nil {
			return err
		}
	}
	if !p.started {
		if err := p.q.subscribe(ctx, &p.cfg); err != nil {
			return err
		}
	}
	p.started = true
	return nil
}

// read reads what is new, waiting up to wait for it.
func (p *Puller) read(ctx context.Context, n int, wait time.Duration) ([]*Pulled, error) {
	background := context.WithoutCancel(ctx)
	epoch := p.epoch
	if len(p.levels) == 1 && p.settings.Limits == (store.Limits{}) && !p.settings.Paused {
		var entries []store.Entry
		err := p.reader.Read(background, p.name, []*store.Queue{p.q.sq}, n, wait, func(_ int, e store.Entry) {
			entries = append(entries, e)
		})
		return p.pulled(background, p.levels[0], entries, epoch), err
	}
	room := make([]int, len(p.levels))
	for i := range room {
		room[i] = n
	}
	got, taken, err := p.turns.take(background, p.q.c, p.name, room)
	var out []*Pulled
	for i, s := range p.turns.levels {
		out = append(out, p.pulled(background, s, got[i], epoch)...)
	}
	switch {
	case err != nil || len(out) > 0 || wait == 0 || taken.Why == "":
		return out, err
	case taken.Why == "empty":
		return nil, p.reader.Await(background, p.turns.queues, taken.Last, wait)
	case taken.Why == "rate":
		wait = min(wait, taken.Wait)
	}
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
	return nil, nil
}

// pulled turns entries into messages and settles those that nobody is to see.
func (p *Puller) pulled(background context.Context, s *source, entries []store.Entry, epoch string) []*Pulled {
	out := make([]*Pulled, 0, len(entries))
	for m := range messages(p.q.name, entries) {
		m.epoch, m.source = epoch, s
		pulled := &Pulled{Message: m, p: p}
		if m.malformed != nil {
			m.buryMalformed()
			_ = pulled.settle(background, "dead-letter", m.verdict)
		} else if v, late := p.cfg.late(p.q.c, m, time.Now(), &p.log); late {
			_ = pulled.settle(background, "drop", v)
		} else if p.canceled.has(m) {
			m.dropCanceled()
			_ = pulled.settle(background, "cancel", m.verdict)
		} else if err := p.q.c.open(m); err != nil {
			pulled.refuse(background, err)
		} else {
			p.q.c.noteRun(m, time.Now(), 0, nil)
			out = append(out, pulled)
		}
	}
	return out
}

// Close hands back what was received and not settled. It must not run
// concurrently with Receive.
func (p *Puller) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), settleGrace)
	defer cancel()
	var err error
	for _, s := range p.levels {
		if _, rerr := s.q.Release(ctx, p.name); rerr != nil {
			err = rerr
		}
	}
	p.joined, p.levels = false, nil
	_ = p.reader.Close()
	return p.q.wrap("close", "", err)
}
