package leanmq

import (
	"context"
	"errors"
	"time"
)

// Consume hands the queue's messages to h until ctx ends, and then drains: it
// fetches no more, waits for running handlers up to [DrainTimeout], and hands
// back what was not started. It returns nil after a clean drain and
// [ErrDrainTimeout] when handlers had to be cancelled.
//
// While Redis is away it keeps trying. Any number of Consume calls may run for
// any number of queues and share one connection for reading; a client consumes
// each queue at most once at a time ([ErrConsuming]).
func (q *Queue) Consume(ctx context.Context, h Handler, opts ...ConsumeOption) error {
	cfg := defaultConsumeConfig()
	for _, o := range opts {
		o(&cfg)
	}
	cfg.Retry = cfg.Retry.withDefaults()
	err := q.err
	if err == nil {
		err = check(&cfg)
	}
	if err == nil && h == nil {
		err = invalid("handler", "is nil")
	}
	if err != nil {
		return q.wrap("consume", "", err)
	}
	p := newPool(q, h, cfg, context.WithoutCancel(ctx))
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

// engine is what all consumers of a client share.
type engine struct {
	fetch    *fetcher
	schedule *scheduler
	pools    map[string]*pool // by queue name
	unlisten func()
}

func (c *Client) startEngine(p *pool) (*engine, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	if c.engine == nil {
		e := &engine{
			fetch:    newFetcher(c),
			schedule: newScheduler(c),
			pools:    map[string]*pool{},
		}
		e.unlisten = c.OnNotice(e.notice(c))
		c.engine = e
	}
	e := c.engine
	if e.pools[p.q.name] != nil {
		return nil, ErrConsuming
	}
	e.pools[p.q.name] = p
	return e, nil
}

// stopEngine stops what is shared when its last user goes.
func (c *Client) stopEngine(e *engine, p *pool) {
	c.mu.Lock()
	delete(e.pools, p.q.name)
	last := len(e.pools) == 0
	if last {
		c.engine = nil
	}
	c.mu.Unlock()
	if last {
		e.unlisten()
		e.schedule.close()
		e.fetch.close()
	}
}

// notice returns what reacts to notices of other processes.
func (e *engine) notice(c *Client) func(string) {
	return func(notice string) {
		kind, queue := splitNotice(notice)
		switch kind {
		case "":
			e.schedule.wakeAll()
		case "due":
			e.schedule.wake(queue)
		case "released":
			c.mu.Lock()
			p := e.pools[queue]
			c.mu.Unlock()
			if p != nil {
				p.reclaimSoon()
			}
		}
	}
}

// joinUntil makes the client a consumer of the queue, however long that takes.
// It reports false when ctx ended first.
func (p *pool) joinUntil(ctx context.Context) bool {
	o := outage{log: p.log, what: "join"}
	for ctx.Err() == nil {
		err := p.join(ctx)
		if err == nil {
			o.ok()
			return true
		}
		if errors.Is(err, context.Canceled) {
			break
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

// drain waits for the running handlers, whose leases the keeper renews until
// then, and hands back the rest. Fetching has stopped before.
func (p *pool) drain(stopKeeper func()) error {
	p.stop()
	var err error
	if !p.waitIdle(p.cfg.DrainTimeout) {
		n := p.cancelAll(ErrDrainTimeout)
		err = ErrDrainTimeout
		p.log.Warn().Int("handlers", n).Dur("after", p.cfg.DrainTimeout).Msg("drain timeout: handlers cancelled")
		p.waitIdle(cancelGrace)
	}
	stopKeeper()
	p.waitSettled(settleGrace)
	ctx, cancel := context.WithTimeout(context.Background(), settleGrace)
	defer cancel()
	if n, rerr := p.q.sq.Release(ctx, p.c.instance); rerr != nil {
		p.log.Warn().Err(rerr).Msg("could not hand messages back; they are redelivered after the lease")
	} else if n > 0 {
		p.log.Info().Int("messages", n).Msg("handed back")
	}
	return err
}

const (
	// cancelGrace is how long a cancelled handler has to return.
	cancelGrace = time.Second
	// settleGrace bounds the last words to a Redis that may be away.
	settleGrace = 3 * time.Second
)
