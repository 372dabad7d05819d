package store

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// retireAfter is when the connections to a server that owns nothing any more
// are closed; until then its last commands may be under way.
const retireAfter = time.Minute

// node is a master.
type node struct {
	addr    string
	rdb     *redis.Client
	pipe    *pipe
	waits   *pipe              // for what is to be replicated
	suspect atomic.Bool        // its last command failed
	gone    context.Context    // ends when it is no master any more
	retire  context.CancelFunc // ends gone
	retired time.Time
}

// node returns the node at addr.
func (c *cluster) node(addr string) (*node, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	_ = c.sweepLocked(time.Now().Add(-retireAfter))
	n := c.nodes[addr]
	if n == nil {
		opts := c.opts
		opts.Addr = addr
		rdb := redis.NewClient(&opts)
		n = &node{addr: addr, rdb: rdb, pipe: newPipe(rdb, opts), waits: &pipe{rdb: rdb}}
		n.gone, n.retire = context.WithCancel(context.Background())
		c.nodes[addr] = n
	}
	return n, nil
}

// retireLocked has no further command go to n.
func (c *cluster) retireLocked(n *node) {
	delete(c.nodes, n.addr)
	n.retire()
	n.retired = time.Now()
	c.retired = append(c.retired, n)
}

// sweepLocked closes the connections to nodes that were retired before a time.
func (c *cluster) sweepLocked(before time.Time) (err error) {
	kept := c.retired[:0]
	for _, n := range c.retired {
		if !n.retired.Before(before) {
			kept = append(kept, n)
			continue
		}
		n.pipe.close()
		n.waits.close()
		err = errors.Join(err, n.rdb.Close())
	}
	clear(c.retired[len(kept):])
	c.retired = kept
	return err
}
