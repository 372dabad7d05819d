package store

import (
	"context"
	"runtime"

	"github.com/redis/go-redis/v9"
)

// beginLocked and endLocked are around a flush.
func (p *pipe) beginLocked() {
	p.flushes++
	p.busy.Store(int32(p.flushes))
	p.idle.Add(1)
}

func (p *pipe) endLocked() {
	p.flushes--
	p.busy.Store(int32(p.flushes))
	p.idle.Done()
}

// flush sends batches until nothing waits.
func (p *pipe) flush() {
	var batch []*call
	var cmds []redis.Cmder
	for {
		p.mu.Lock()
		if p.shared {
			// Those who are about to come, come along: a round trip takes longer.
			p.mu.Unlock()
			runtime.Gosched()
			p.mu.Lock()
		}
		if len(p.waiting) == 0 {
			p.endLocked()
			p.mu.Unlock()
			return
		}
		batch = p.take(batch[:0])
		p.shared = len(batch) > 1
		p.mu.Unlock()

		cmds = cmds[:0]
		for _, c := range batch {
			cmds = append(cmds, c.cmds...)
		}
		made := p.execWait(cmds, batch[0].wait)
		for i, c := range batch {
			batch[i] = nil
			c.copies = made
			p.end(c)
		}
		clear(cmds)
	}
}

// take removes the next batch from waiting: at least one call, and beyond that
// no more than maxBatch commands, and only calls that wait for the same.
func (p *pipe) take(batch []*call) []*call {
	n, cmds := 0, 0
	for _, c := range p.waiting {
		if n > 0 && (cmds+len(c.cmds) > maxBatch || c.wait != p.waiting[0].wait) {
			break
		}
		n++
		cmds += len(c.cmds)
	}
	batch = append(batch, p.waiting[:n]...)
	rest := copy(p.waiting, p.waiting[n:])
	clear(p.waiting[rest:])
	p.waiting = p.waiting[:rest]
	return batch
}

// exec runs the commands. It takes no caller's context, because the batch
// belongs to several; the client's read and write time-outs bound it.
func (p *pipe) exec(rdb *redis.Client, cmds []redis.Cmder) {
	ctx := context.Background()
	if d, turn := p.directFor(cmds); d != nil {
		d.run(ctx, turn, cmds)
	} else {
		pipeline(ctx, rdb, cmds)
	}

	var again []redis.Cmder
	for _, cmd := range cmds {
		if isNoScript(cmd.Err()) {
			again = append(again, cmd) // nothing of it was executed
		}
	}
	if len(again) == 0 {
		return
	}
	if last := cmds[len(cmds)-1]; isWait(last) {
		again = append(again, last)
	}
	if err := loadScripts(ctx, rdb); err != nil {
		for _, cmd := range again {
			cmd.SetErr(err)
		}
		return
	}
	for _, cmd := range again {
		cmd.SetErr(nil)
	}
	pipeline(ctx, rdb, again)
	for _, cmd := range again { // forgotten again: now they bring the script along
		if s := scriptOf(cmd); s != nil && isNoScript(cmd.Err()) {
			cmd.SetErr(nil)
			_ = rdb.Process(ctx, s.withSource(cmd.(*redis.Cmd)))
		}
	}
}

// directFor takes a direct connection for commands that fit, if there is one.
func (p *pipe) directFor(cmds []redis.Cmder) (d *direct, turn uint64) {
	if !fit(cmds) {
		return nil, 0
	}
	return p.takeDirect()
}

func pipeline(ctx context.Context, rdb *redis.Client, cmds []redis.Cmder) {
	byGoRedis(ctx, cmds, func(cmds []redis.Cmder) {
		if len(cmds) == 1 {
			_ = rdb.Process(ctx, cmds[0]) // the error is in the command
			return
		}
		pl := rdb.Pipeline()
		for _, cmd := range cmds {
			_ = pl.Process(ctx, cmd)
		}
		_, _ = pl.Exec(ctx) // each command has its own error
	})
}
