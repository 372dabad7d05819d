package leanmq

import "context"

// Consume hands the queue's messages to h until ctx ends, and then drains: it
// fetches no more, waits for running handlers up to [DrainTimeout], and hands
// back what was not started. It returns nil after a clean drain and
// [ErrDrainTimeout] when handlers had to be cancelled.
//
// While Redis is away it keeps trying. Any number of Consume calls may run for
// any number of queues and share one connection for reading; a client consumes
// each queue at most once at a time ([ErrConsuming]).
func (q *Queue) Consume(ctx context.Context, h Handler, opts ...ConsumeOption) error {
	cfg, err := q.consumeConfig(opts)
	if err == nil && h == nil {
		err = invalid("handler", "is nil")
	}
	if err == nil {
		h, err = q.c.composeAll(h, &cfg)
	}
	if err != nil {
		return q.wrap("consume", "", err)
	}
	p := newPool(context.WithoutCancel(ctx), q, h, cfg)
	p.boundRunTime()
	e, err := q.c.startEngine(p)
	if err != nil {
		return q.wrap("consume", "", err)
	}
	defer q.c.stopEngine(e, p)

	p.fetch = e.fetch
	if !p.joinUntil(ctx) {
		return nil
	}
	stopKeeper := p.startKeeper()
	e.fetch.add(p)
	e.schedule.add(p)
	<-ctx.Done()
	e.schedule.remove(p)
	e.fetch.remove(p)
	return q.wrap("consume", "", p.drain(stopKeeper))
}

// joinUntil makes the client a consumer of the queue, however long that takes.
// It reports false when ctx ended first.
func (p *pool) joinUntil(ctx context.Context) bool {
	o := outage{log: p.log, what: "join", queue: p.q.name, hooks: p.c.hooks}
	for ctx.Err() == nil {
		// Not ended by ctx: whoever may have joined has to leave.
		err := p.join(context.WithoutCancel(ctx))
		if err == nil {
			o.ok()
			return true
		}
		o.failed(ctx, err)
	}
	return false
}

func (p *pool) join(ctx context.Context) error {
	epoch, err := p.q.sq.Join(ctx, p.c.instance)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.epoch = epoch
	p.mu.Unlock()
	return nil
}
