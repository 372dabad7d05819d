package store

import (
	"context"
	"errors"
	"sync"

	"github.com/redis/go-redis/v9"
)

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
