package store

import (
	"bytes"
	"context"
	"runtime"
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

// newPipe returns the pipe of a client that was made with these options.
func newPipe(rdb *redis.Client, opts redis.Options) *pipe {
	p := &pipe{rdb: rdb, directs: new(directs)}
	for i := range p.directs {
		p.directs[i].w.opts = opts
	}
	return p
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
