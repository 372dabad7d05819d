package leanmq

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

// stepper does what Consume does, one message at a time and on its caller's
// goroutine: it takes messages as a taker does, and handles, judges and settles
// them as a pool does, without a goroutine of its own, so that it knows when
// nothing is ready any more. No lease is renewed. Not safe for concurrent use.
type stepper struct {
	p     *pool  // runs the handler; nothing is delivered to it
	name  string // among the consumers
	epoch string
	turns turns
	dry   bool // nothing was left at the last look

	err error // what the handler returned
}

// stepped is what became of one message.
type stepped struct {
	Message *Message
	Became  Outcome
	Reason  string        // of a death, or "expired" or "canceled" of a drop
	Delay   time.Duration // of a retry
	Err     error         // what the handler returned, or why none was called
	Reply   *Reply        // that was sent
}

// Stepper is for leanmqtest: it consumes the queue step by step. Its type is not
// exported, so that nobody else builds on it by accident.
func (q *Queue) Stepper(ctx context.Context, h Handler, opts ...ConsumeOption) (*stepper, error) {
	h, cfg, err := q.handlerConfig(h, opts)
	if err != nil {
		return nil, q.wrap("step", "", err)
	}
	s := &stepper{
		p:    newPool(context.WithoutCancel(ctx), q, h, cfg),
		name: q.c.instance + "/" + newToken()[:6], dry: true,
	}
	s.p.holder.name = s.name
	s.p.boundRunTime()
	handle := s.p.h
	s.p.h = func(ctx context.Context, m *Message) error {
		s.err = call(ctx, handle, m)
		return s.err
	}
	err = s.p.setLimits(ctx)
	if err == nil {
		err = q.subscribe(ctx, &cfg)
	}
	for _, from := range s.p.sources {
		if err == nil {
			s.epoch, err = from.q.Join(ctx, s.name)
		}
	}
	return s, q.wrap("step", "", err)
}

// Step handles the next message that is ready, or due, or whose lease has run out,
// and settles it. It returns nil when there is none that the queue's settings allow.
func (s *stepper) Step(ctx context.Context) (*stepped, error) {
	q := s.p.q
	m, err := s.next(ctx)
	if m == nil || err != nil {
		return nil, q.wrap("step", "", err)
	}
	// The clock may stand, or have been moved: deadlines and ages go by it, however
	// long it takes from here to the handler.
	now, err := q.c.measureClock(ctx)
	if err != nil {
		return nil, q.wrap("step", m.ID, err)
	}
	s.err = nil
	if m.malformed != nil {
		m.buryMalformed()
	} else {
		s.p.handle(m, now)
	}
	st := settlement([]*Message{m})
	settled, err := m.source.q.Settle(ctx, s.name, &st)
	if err != nil {
		return nil, q.wrap("step", m.ID, err)
	}
	if settled.Epoch != "" {
		s.epoch = settled.Epoch
	}
	q.c.observeSettled([]*Message{m}, settled.Lost)
	return s.stepped(m, settled), nil
}

// stepped tells what became of a message.
func (s *stepper) stepped(m *Message, settled store.Settled) *stepped {
	v := &m.verdict
	out := &stepped{Message: m, Became: OutcomeDone, Reason: v.reason, Delay: v.delay, Err: s.err, Reply: s.reply(m)}
	if s.err == nil && v.err != "" {
		out.Err = errors.New(v.err)
	}
	switch {
	case v.outcome == outcomeKeep:
		out.Became = OutcomeHandedBack
	case slices.Contains(settled.Lost, m.entry):
		out.Became = OutcomeLost
	case v.outcome == outcomeDead:
		out.Became = OutcomeDead
	case v.outcome == outcomeRetry:
		out.Became = OutcomeRetry
	case v.outcome == outcomeCanceled:
		out.Became, out.Reason = OutcomeDropped, "canceled"
	case v.outcome == outcomeExpired:
		out.Became, out.Reason = OutcomeDropped, "expired"
	}
	return out
}

// reply is the reply as its receiver sees it.
func (s *stepper) reply(m *Message) *Reply {
	if m.reply == nil {
		return nil
	}
	r := *m.reply
	if payload, err := s.p.c.keys.unseal(r.Payload, m.replyMark); err == nil && m.replyMark != "" {
		r.Payload = payload
	}
	return &r
}

// next takes the next message. What is due or was left behind is looked for when
// the streams are read to their ends.
func (s *stepper) next(ctx context.Context) (*Message, error) {
	q := s.p.q
	for {
		if paused, err := s.look(ctx); paused || err != nil {
			return nil, err
		}
		if s.dry {
			if _, err := q.c.promote(ctx, []*store.Queue{q.sq}); err != nil {
				return nil, err
			}
			if m, err := s.reclaim(ctx); m != nil || err != nil {
				return m, err
			}
		}
		m, err := s.take(ctx)
		if m != nil || err != nil || s.dry {
			s.dry = m == nil
			return m, err
		}
		s.dry = true
	}
}

// look learns the queue's settings, as lookAtSettings does.
func (s *stepper) look(ctx context.Context) (paused bool, err error) {
	p := s.p
	settings, err := p.q.sq.Control(ctx)
	if err != nil {
		return false, err
	}
	for _, level := range settings.Levels {
		if slices.ContainsFunc(p.sources, func(x *source) bool { return x.level == level }) {
			continue
		}
		added := &source{p: p, q: p.q.sq.Level(level), level: level}
		if _, err := added.q.Join(ctx, s.name); err != nil {
			return false, err
		}
		p.sources = append(p.sources, added)
	}
	p.sources = mostUrgentFirst(p.sources)
	return settings.Paused, p.learnCanceled(ctx)
}

// take reads one new message, of the most urgent level that has some.
func (s *stepper) take(ctx context.Context) (m *Message, err error) {
	if len(s.turns.levels) != len(s.p.sources) {
		s.turns = newTurns(s.p.sources, s.p.cfg.weights)
	}
	room := make([]int, len(s.p.sources))
	for i := range room {
		room[i] = 1
	}
	for {
		got, taken, err := s.turns.take(ctx, s.p.c, s.name, room)
		for i, entries := range got {
			for j := range entries { // one at most
				m = s.message(s.turns.levels[i], &entries[j])
			}
		}
		if m != nil || err != nil || taken.Why != "" { // else a filter let nothing through, so far
			return m, err
		}
	}
}

// reclaim takes over one message whose lease has run out. Those delivered too
// often are dead-lettered on the way.
func (s *stepper) reclaim(ctx context.Context) (*Message, error) {
	for _, from := range s.p.sources {
		for {
			entries, buried, err := from.q.Reclaim(ctx, s.name, s.p.cfg.Lease, 1, s.p.cfg.MaxDeliveries)
			if err != nil {
				return nil, err
			}
			if len(entries) > 0 { // one of either
				return s.message(from, &entries[0]), nil
			}
			if buried == 0 {
				break
			}
			s.p.c.observeCrashed(s.p.q.sq, buried)
		}
	}
	return nil, nil
}

func (s *stepper) message(from *source, e *store.Entry) *Message {
	m := newMessage(s.p.q.name, e)
	m.epoch, m.source = s.epoch, from
	return m
}

// Close hands back the message that a handler left by runtime.Goexit.
func (s *stepper) Close(ctx context.Context) error {
	for _, from := range s.p.sources {
		if _, err := from.q.Release(ctx, s.name); err != nil {
			return s.p.q.wrap("close", "", err)
		}
	}
	return nil
}
