package store

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

const (
	// maxFlushes is how many batches may be under way at once. A second and a
	// third one keep the server busy while the replies of the first are read;
	// more only make the batches smaller.
	maxFlushes = 3
	// maxBatch bounds a pipeline, so that a reply is not waited for longer
	// than it takes to run this many commands.
	maxBatch = 512
)

// pipe lets concurrent callers share pipelines. There is no timer: a command
// that finds no batch under way leaves at once, and whatever arrives while all
// flushes are busy forms the next batch.
type pipe struct {
	rdb     *redis.Client
	directs *directs // nil: all goes by rdb
	calls   sync.Pool

	mu      sync.Mutex
	waiting []*call
	flushes int
	busy    atomic.Int32 // flushes, for who does not hold the lock
	closed  bool
	shared  bool           // the last batch had several calls
	idle    sync.WaitGroup // running flushes
}

// newPipe returns the pipe of a client that was made with these options.
func newPipe(rdb *redis.Client, opts redis.Options) *pipe {
	p := &pipe{rdb: rdb, directs: new(directs)}
	for i := range p.directs {
		p.directs[i].w.opts = opts
	}
	return p
}

// call is a caller's commands; they stay together and in order.
type call struct {
	cmds []redis.Cmder
	one  [1]redis.Cmder // backing of cmds for the common case
	done chan struct{}  // receives once when the replies are there
	wait Wait           // for replicas, with all of its batch
	copies
	post posted
}

func (p *pipe) newCall() *call {
	if c, ok := p.calls.Get().(*call); ok {
		return c
	}
	return &call{done: make(chan struct{}, 1)}
}

// do runs cmd in the next batch and returns when its reply is there or ctx
// ends. The reply itself, and its error, are in the command, which must not be
// touched any more when do returns an error: it may be under way, if that is ErrUnknown.
func (p *pipe) do(ctx context.Context, cmd redis.Cmder) error {
	c := p.newCall()
	c.one[0] = cmd
	c.cmds = c.one[:]
	return p.run(ctx, c)
}

// doAll is do for commands that go together, in order, in one batch.
func (p *pipe) doAll(ctx context.Context, cmds []redis.Cmder) error {
	if len(cmds) == 0 {
		return nil
	}
	c := p.newCall()
	c.cmds = cmds
	return p.run(ctx, c)
}

func (p *pipe) run(ctx context.Context, c *call) error {
	alone, err := p.runIfAlone(ctx, c)
	if err != nil || alone {
		return err
	}
	return p.runInLine(ctx, c)
}

// runInLine has a flush run the call, and waits for the end of it.
func (p *pipe) runInLine(ctx context.Context, c *call) error {
	own(ctx, c.cmds)
	if err := p.lineUp(c); err != nil {
		return err
	}
	return p.await(ctx, c)
}

// own copies what belongs to the caller, who may return before it is written.
func own(ctx context.Context, cmds []redis.Cmder) {
	for _, cmd := range cmds {
		if a, ok := cmd.(*addition); ok {
			if a.apart != nil && ctx.Done() != nil {
				a.own()
			}
			continue
		}
		args := cmd.Args()
		for i, arg := range args {
			if b, ok := arg.([]byte); ok && ctx.Done() != nil {
				args[i] = bytes.Clone(b)
			}
		}
	}
}

// lineUp has a flush run the call, which owns what is in it.
func (p *pipe) lineUp(c *call) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	p.waiting = append(p.waiting, c)
	if p.flushes < maxFlushes {
		p.beginLocked()
		go p.flush()
	}
	return nil
}

// await waits for the end of a call that is in line.
func (p *pipe) await(ctx context.Context, c *call) error {
	select {
	case <-c.done:
		p.recycle(c)
		return nil
	case <-ctx.Done():
		if p.drop(c) {
			return notInTime(ctx)
		}
		return &unknownError{context.Cause(ctx)} // c is left to the flush
	}
}

func (p *pipe) recycle(c *call) {
	c.cmds, c.one[0], c.post = nil, nil, posted{}
	if c.wait == (Wait{}) {
		p.calls.Put(c)
	}
}

// drop takes a call out of the line whose caller does not wait any more, unless it is
// under way. While the server does not answer, those who give up and come again would
// make the line grow without end, and all of it would be sent in the end.
func (p *pipe) drop(c *call) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.waiting, c)
	if i < 0 {
		return false
	}
	p.waiting = slices.Delete(p.waiting, i, i+1)
	return true
}

// close refuses further calls and waits for those under way.
func (p *pipe) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.idle.Wait()
	if p.directs != nil {
		p.directs.close()
	}
}
