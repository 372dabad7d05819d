package leanmq

import "strings"

// engine is what all consumers of a client share.
type engine struct {
	fetch    map[string]*fetcher // by reading place
	schedule *scheduler
	pools    map[string]*pool // by queue name
}

func (c *Client) startEngine(p *pool) (*engine, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	if c.engine == nil {
		e := &engine{
			fetch:    map[string]*fetcher{},
			schedule: newScheduler(c),
			pools:    map[string]*pool{},
		}
		c.engine = e
	}
	e := c.engine
	if e.pools[p.q.name] != nil {
		return nil, ErrConsuming
	}
	e.pools[p.q.name] = p
	p.unlisten = c.notices.add(p.q.sq.Notices(), e.notice(p))
	place := c.readingPlace(p.q)
	if e.fetch[place] == nil {
		e.fetch[place] = newFetcher(c)
	}
	p.fetch = e.fetch[place]
	return e, nil
}

// readingPlace is the same for queues that one read can wait for: on a cluster they
// need the same hash tag.
func (c *Client) readingPlace(q *Queue) string {
	if c.s.IsCluster() {
		return q.sq.Tag
	}
	return ""
}

// stopEngine stops what is shared when its last user goes.
func (c *Client) stopEngine(e *engine, p *pool) {
	c.mu.Lock()
	delete(e.pools, p.q.name)
	last, lastThere := len(e.pools) == 0, true
	for _, other := range e.pools {
		lastThere = lastThere && other.fetch != p.fetch
	}
	if last {
		c.engine = nil
	}
	if lastThere {
		delete(e.fetch, c.readingPlace(p.q))
	}
	c.mu.Unlock()
	p.unlisten()
	if last {
		e.schedule.close()
	}
	if lastThere {
		p.fetch.close()
	}
}

// notice returns what reacts to the notices of the pool's queue.
func (e *engine) notice(p *pool) func(string) {
	return func(notice string) {
		kind, _, _ := strings.Cut(notice, " ")
		switch kind {
		case "", "due":
			e.schedule.wake(p.q.name)
		case "released":
			p.reclaimSoon()
		case "control":
			p.lookSoon()
		}
	}
}
