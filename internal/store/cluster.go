package store

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// cluster sends each command to the master that owns its slot, by a pipe for each
// master. It follows MOVED and ASK, waits for TRYAGAIN, and looks for the new
// owner of a slot whose master cannot be reached: in all these cases nothing was
// executed. It never repeats what may have been.
//
// It does its own routing because redis.ClusterClient repeats commands whose reply
// was lost, and cannot be kept from it without giving up redirects too.
type cluster struct {
	opts  redis.Options // of a connection to a node, without its address
	seeds []string
	home  int // the slot that commands without keys go to

	owner [Slots]atomic.Pointer[node]

	reloading chan struct{} // held by the one who asks who owns what; guards the next two
	reloaded  time.Time     // when somebody last did
	reloadErr error         // what came of it

	mu       sync.Mutex
	nodes    map[string]*node // masters, by address
	replicas []string
	retired  []*node
	closed   bool
}

func newCluster(opts redis.Options, seeds []string, home int) *cluster {
	return &cluster{opts: opts, seeds: seeds, home: home, nodes: map[string]*node{}, reloading: make(chan struct{}, 1)}
}

// at returns the owner of a slot.
func (c *cluster) at(ctx context.Context, slot int) (*node, error) {
	n := c.owner[slot].Load()
	if n != nil && !n.suspect.Load() && n.gone.Err() == nil {
		return n, nil
	}
	if err := c.reload(ctx); err != nil && n == nil {
		return nil, err
	}
	if n = c.owner[slot].Load(); n == nil {
		return nil, errNoOwner
	}
	return n, nil
}

// do and doAll are as those of pipe. Commands for one key stay in order; one
// without keys goes where its neighbours go, on the same connection.
func (c *cluster) do(ctx context.Context, cmd redis.Cmder) error {
	slot := slotOf(cmd)
	if slot < 0 {
		slot = c.home
	}
	n, err := c.at(ctx, slot)
	if err != nil {
		return err
	}
	if err := n.pipe.do(ctx, cmd); err != nil || errorOf(cmd) == nil {
		return err
	}
	return c.follow(ctx, errands{{slot: slot, to: n, cmds: []redis.Cmder{cmd}}}, 1)
}

func (c *cluster) doAll(ctx context.Context, cmds []redis.Cmder) error {
	if len(cmds) == 0 {
		return nil
	}
	plan, err := c.plan(ctx, cmds)
	if err != nil {
		return err
	}
	if err := c.run(ctx, plan); err != nil {
		return err
	}
	return c.follow(ctx, plan, len(cmds))
}

// close ends the connections, once the commands under way are done.
func (c *cluster) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, n := range c.nodes {
		c.retireLocked(n)
	}
	return c.sweepLocked(time.Now().Add(time.Hour))
}

var errNoOwner = fmt.Errorf("%w: no master of the cluster owns the slot", ErrUnavailable)
