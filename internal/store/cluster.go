package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// movePatience is how long a command waits for a slot to be moved. A script
	// waits while its keys are on their way, because they are not all in one place.
	movePatience = 10 * time.Second
	// quickRedirects is how often a command follows without waiting.
	quickRedirects = 3
	// retireAfter is when the connections to a server that owns nothing any more
	// are closed; until then its last commands may be under way.
	retireAfter = time.Minute
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

func newCluster(opts redis.Options, seeds []string, home int) *cluster {
	return &cluster{opts: opts, seeds: seeds, home: home, nodes: map[string]*node{}, reloading: make(chan struct{}, 1)}
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

// follow sends again, as long as it takes, what was not executed of so many
// commands because it did not get to the right place.
func (c *cluster) follow(ctx context.Context, done errands, of int) error {
	begin := time.Now()
	for try := 0; ; try++ {
		left, waits := c.left(ctx, done)
		if len(left) == 0 {
			return nil
		}
		if waits || try >= quickRedirects {
			if time.Since(begin) > movePatience {
				return nil // the last replies are the results
			}
			if !sleep(ctx, backoff(try)) {
				if left.count() == of {
					return notInTime(ctx)
				}
				return &unknownError{context.Cause(ctx)}
			}
		}
		for _, e := range left {
			for _, cmd := range e.cmds {
				cmd.SetErr(nil)
			}
		}
		if err := c.run(ctx, left); err != nil && left.count() < of {
			return partly(err)
		} else if err != nil {
			return err
		}
		done = left
	}
}

// errand is the commands of a call for one slot.
type errand struct {
	slot int
	to   *node
	cmds []redis.Cmder
	ask  bool // each has to be asked for
	wait Wait
	made *copies // of all that waits
	got  copies  // what the server said last
}

type errands []*errand

func (es errands) count() (n int) {
	for _, e := range es {
		n += len(e.cmds)
	}
	return n
}

// plan sorts commands by slot.
func (c *cluster) plan(ctx context.Context, cmds []redis.Cmder) (errands, error) {
	slot := -1
	for _, cmd := range cmds {
		if slot = slotOf(cmd); slot >= 0 {
			break
		}
	}
	if slot < 0 {
		slot = c.home
	}
	var es errands
	bySlot := map[int]*errand{}
	for _, cmd := range cmds {
		if s := slotOf(cmd); s >= 0 {
			slot = s
		}
		e := bySlot[slot]
		if e == nil {
			to, err := c.at(ctx, slot)
			if err != nil {
				return nil, err
			}
			e = &errand{slot: slot, to: to}
			bySlot[slot] = e
			es = append(es, e)
		}
		e.cmds = append(e.cmds, cmd)
	}
	return es, nil
}

// run sends errands, those for one node together and all nodes at once.
func (c *cluster) run(ctx context.Context, es errands) error {
	if len(es) == 1 {
		return c.runAt(ctx, es[0].to, es)
	}
	byNode := map[*node]errands{}
	for _, e := range es {
		byNode[e.to] = append(byNode[e.to], e)
	}
	if len(byNode) == 1 {
		return c.runAt(ctx, es[0].to, es)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var firstErr error
	some := false
	for n, es := range byNode {
		wg.Go(func() {
			err := c.runAt(ctx, n, es)
			mu.Lock()
			defer mu.Unlock()
			some = some || err == nil
			if err != nil && (firstErr == nil || errors.Is(err, ErrUnknown)) {
				firstErr = err
			}
		})
	}
	wg.Wait()
	if some {
		return partly(firstErr)
	}
	return firstErr
}

// partly is the error of a call of which something was executed.
func partly(err error) error {
	if err == nil || errors.Is(err, ErrUnknown) {
		return err
	}
	return &unknownError{err}
}

func (c *cluster) runAt(ctx context.Context, n *node, es errands) error {
	var cmds []redis.Cmder
	if len(es) == 1 && !es[0].ask {
		cmds = es[0].cmds
	} else {
		for _, e := range es {
			for _, cmd := range e.cmds {
				if e.ask {
					cmds = append(cmds, redis.NewStatusCmd(ctx, "ASKING"))
				}
				cmds = append(cmds, cmd)
			}
		}
	}
	if e := es[0]; e.made != nil { // it is the only one
		var err error
		e.got, err = n.waits.doWait(ctx, cmds, e.wait)
		return err
	}
	if len(cmds) == 1 {
		return n.pipe.do(ctx, cmds[0])
	}
	return n.pipe.doAll(ctx, cmds)
}

// left returns what is to be sent again, and whether to wait before.
func (c *cluster) left(ctx context.Context, done errands) (left errands, wait bool) {
	for _, e := range done {
		next := &errand{slot: e.slot, wait: e.wait, made: e.made}
		for _, cmd := range e.cmds {
			err := errorOf(cmd)
			if err != nil && c.redirect(ctx, e, next, err) {
				next.cmds = append(next.cmds, cmd)
				wait = wait || redis.IsTryAgainError(err)
			}
		}
		if e.made != nil && len(next.cmds) < len(e.cmds) { // else nothing was written there
			*e.made = e.made.and(e.got)
		}
		if len(next.cmds) > 0 {
			left = append(left, next)
		}
	}
	return left, wait
}

// redirect reports whether a command of e that failed was not executed and is to be
// sent again, and sets where to.
func (c *cluster) redirect(ctx context.Context, e, next *errand, err error) bool {
	if isNetwork(err) {
		e.to.suspect.Store(true)
	}
	to := next.to
	if addr, ok := redis.IsMovedError(err); ok {
		to = c.moved(e.slot, reachable(addr, e.to.addr))
	} else if addr, ok := redis.IsAskError(err); ok {
		next.ask = true
		to, _ = c.node(reachable(addr, e.to.addr)) // nil: closed
	} else if lost := notSent(err); lost || redis.IsTryAgainError(err) {
		if to == nil {
			to, _ = c.at(ctx, e.slot) // nil: nobody has it now
		}
		if lost && to == e.to {
			return false
		}
	} else {
		return false
	}
	next.to = to
	return to != nil
}

// moved notes a slot's new owner and returns it, or nil after close.
func (c *cluster) moved(slot int, addr string) *node {
	n, err := c.node(addr)
	if err != nil {
		return nil
	}
	n.suspect.Store(false)
	c.owner[slot].Store(n)
	return n
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

// notSent reports whether a command failed before it was sent.
func notSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" || errors.Is(err, ErrClosed) || errors.Is(err, redis.ErrClosed)
}

// isNetwork reports whether it was not the server that said so.
func isNetwork(err error) bool {
	var known redis.Error
	return !errors.As(err, &known) || strings.HasPrefix(err.Error(), "READONLY")
}

// backoff is 1, 2, 4 … 64 ms.
func backoff(try int) time.Duration { return time.Millisecond << min(try, 6) }

// sleep reports whether it slept to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
