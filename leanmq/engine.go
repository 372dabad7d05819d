package leanmq

import "strings"

// engine is what all consumers of a client share.
type engine struct {
	fetch    map[string]*fetcher // by reading place
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
			fetch:    map[string]*fetcher{},
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
	if last {
		e.unlisten()
		e.schedule.close()
	}
	if lastThere {
		p.fetch.close()
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
		case "released", "control":
			c.mu.Lock()
			p := e.pools[queue]
			c.mu.Unlock()
			switch {
			case p == nil:
			case kind == "released":
				p.reclaimSoon()
			default:
				p.lookSoon()
			}
		}
	}
}

func splitNotice(notice string) (kind, queue string) {
	kind, queue, _ = strings.Cut(notice, " ")
	return kind, queue
}
