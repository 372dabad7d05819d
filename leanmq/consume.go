package leanmq

import (
	"context"
	"errors"
)

// Consume hands the queue's messages to h until ctx ends, and then drains: it
// fetches no more, waits for running handlers up to [DrainTimeout], and hands
// back what was not started. It returns nil after a clean drain and
// [ErrDrainTimeout] when handlers had to be canceled.
//
// While Redis is away it keeps trying. Any number of Consume calls may run for
// any number of queues and share one connection for reading; a client consumes
// each queue at most once at a time ([ErrConsuming]).
func (q *Queue) Consume(ctx context.Context, h Handler, opts ...ConsumeOption) error {
	h, cfg, err := q.handlerConfig(h, opts)
	if err != nil {
		return q.wrap("consume", "", err)
	}
	return q.consume(ctx, h, cfg)
}

// handlerConfig is consumeConfig for those who have a handler, which it returns with its
// middleware around it.
func (q *Queue) handlerConfig(h Handler, opts []ConsumeOption) (Handler, consumeConfig, error) {
	cfg, err := q.consumeConfig(opts)
	if err == nil && h == nil {
		err = invalid("handler", "is nil")
	}
	if err == nil {
		h, err = q.c.composeAll(h, &cfg)
	}
	return h, cfg, err
}

// CheckConsume says what Consume would refuse of the options, and needs no Redis: for
// layers that have to know before they begin.
func (q *Queue) CheckConsume(opts ...ConsumeOption) error {
	_, err := q.consumeConfig(opts)
	return q.wrap("consume", "", err)
}

func (q *Queue) consume(ctx context.Context, h Handler, cfg consumeConfig) error {
	return q.wrap("consume", "", newPool(context.WithoutCancel(ctx), q, h, cfg).run(ctx))
}

// run consumes until ctx ends, and drains.
func (p *pool) run(ctx context.Context) error {
	p.boundRunTime()
	e, err := p.c.startEngine(p)
	if err != nil {
		return err
	}
	defer p.c.stopEngine(e, p)
	if joined, err := p.joinUntil(ctx); !joined {
		return err
	}
	stopKeeper := p.startKeeper()
	e.schedule.add(p)
	<-ctx.Done()
	e.schedule.remove(p)
	return p.drain(stopKeeper)
}

// joinUntil makes the client a consumer of the queue, however long that takes.
// It reports false when ctx ended first, or a topic does not have what its group is
// to begin with.
func (p *pool) joinUntil(ctx context.Context) (bool, error) {
	o := outage{log: p.log, what: "join", queue: p.q.name, hooks: p.c.hooks}
	for ctx.Err() == nil {
		// Not ended by ctx: whoever may have joined has to leave.
		background := context.WithoutCancel(ctx)
		err := p.setLimits(background)
		if err == nil {
			err = p.q.subscribe(background, &p.cfg)
		}
		if errors.As(err, new(*PositionError)) {
			return false, err
		}
		if err == nil {
			err = p.join(background)
		}
		if err == nil {
			err = p.lookAtSettings(background) // from here on it fetches
		}
		if err == nil {
			o.ok()
			return true, nil
		}
		o.failed(ctx, err)
	}
	return false, nil
}

// setLimits sets the queue's limits, and its filter if it is a group's, if the
// consumer has some.
func (p *pool) setLimits(ctx context.Context) error {
	if err := p.q.setTypes(ctx, &p.cfg); err != nil {
		return err
	}
	if p.cfg.limits == nil {
		return nil
	}
	return p.q.sq.SetLimits(ctx, p.cfg.limits.stored())
}

// join joins the groups of all the queue's levels.
func (p *pool) join(ctx context.Context) error {
	for _, s := range p.levels() {
		if err := s.join(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *source) join(ctx context.Context) error {
	epoch, err := s.q.Join(ctx, s.p.c.instance)
	if err != nil {
		return err
	}
	s.p.mu.Lock()
	s.p.epoch = epoch
	s.p.mu.Unlock()
	return nil
}

// levels returns the sources in use.
func (p *pool) levels() []*source {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sources // appended to, never changed
}
