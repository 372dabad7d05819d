package leanmq

import (
	"context"
	"time"
)

// ClockMoves is for leanmqtest, which is about to move the server's clock by d: from
// here on the client tells deadlines by the new time. It must know before the server
// does, lest it hands out as fresh what becomes due and expires in the same move.
func (c *Client) ClockMoves(d time.Duration) {
	c.measuring.Lock()
	defer c.measuring.Unlock()
	c.synced.Store(time.Now().UnixNano()) // nobody measures before it has moved
	c.skew.Add(int64(d))
}

// ClockMoved is for leanmqtest, which has moved the server's clock: the client
// measures it anew, and what it consumes looks at once for what has become due and
// for leases that have run out.
func (c *Client) ClockMoved(ctx context.Context) error {
	c.synced.Store(time.Now().UnixNano())
	if _, err := c.measureClock(ctx); err != nil {
		return wrap("measure clock", "", "", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.engine == nil {
		return nil
	}
	c.engine.schedule.wakeAll()
	for _, p := range c.engine.pools {
		p.reclaimSoon()
	}
	return nil
}
