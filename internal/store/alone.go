package store

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// runIfAlone runs the call at once if no flush is under way.
func (p *pipe) runIfAlone(ctx context.Context, c *call) (alone bool, err error) {
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	if p.busy.Load() > 0 || len(c.cmds) > maxBatch || !fit(c.cmds) {
		return false, nil
	}
	d, turn := p.takeAlone()
	if d == nil {
		return false, nil
	}
	return true, p.runAlone(ctx, c, d, turn)
}

// takeAlone takes a direct connection for a caller, if there is no flush under way: it
// is one itself then.
func (p *pipe) takeAlone() (d *direct, turn uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.flushes > 0 {
		return nil, 0
	}
	if d, turn = p.takeDirect(); d != nil {
		p.beginLocked()
	}
	return d, turn
}

// takeDirect takes a direct connection, if there is one that lives. The pipe must not be
// closed meanwhile.
func (p *pipe) takeDirect() (d *direct, turn uint64) {
	if p.directs == nil {
		return nil, 0
	}
	d, turn, dead := p.directs.take()
	if dead != nil {
		p.idle.Go(dead.connect)
	}
	return d, turn
}

// runAlone is a flush by the caller, on the connection it has taken.
func (p *pipe) runAlone(ctx context.Context, c *call, d *direct, turn uint64) error {
	d.run(ctx, turn, c.cmds)
	p.mu.Lock()
	if len(p.waiting) > 0 {
		go p.flush() // in our place
	} else {
		p.endLocked()
	}
	p.mu.Unlock()
	var again []redis.Cmder
	for _, cmd := range c.cmds {
		switch err := cmd.Err(); {
		case isNoScript(err):
			again = append(again, cmd)
		case err != nil && ctx.Err() != nil && isNetwork(err):
			return &unknownError{context.Cause(ctx)}
		}
	}
	if len(again) == 0 {
		p.recycle(c)
		return nil
	}
	for _, cmd := range again { // a flush loads the scripts
		cmd.SetErr(nil)
	}
	some := len(again) < len(c.cmds)
	c.cmds = again
	err := p.runInLine(ctx, c)
	if some {
		return partly(err)
	}
	return err
}
