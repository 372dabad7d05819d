package leanmq

import (
	"context"
	"time"
)

// ClockMoved is for leanmqtest, which moves the server's clock by hand: the client
// measures it anew, and what it consumes looks at once for what has become due and
// for leases that have run out.
func (c *Client) ClockMoved(ctx context.Context) error {
	c.synced.Store(time.Now().UnixNano())
	if err := c.measureClock(ctx); err != nil {
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
