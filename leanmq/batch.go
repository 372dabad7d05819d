package leanmq

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// BatchHandler handles messages together. Each is settled by itself: the error at
// its place in the result is its verdict, as in a [Handler]; a nil result means
// that all are done. A result of another length, and a panic, fail all of them.
//
// ctx ends when a drain takes too long, or when all messages of the batch are lost,
// canceled or expired.
type BatchHandler func(ctx context.Context, batch []*Message) []error

// batching is how messages are put together.
type batching struct {
	Size    int           `validate:"min=0,max=10000"`
	Wait    time.Duration `validate:"min=0,max=1h"`
	handler BatchHandler
}

// ConsumeBatches is [Queue.Consume] for handlers that take several messages at
// once: up to size (1 to 10000), or what has come within wait (0 to 1 h) after the
// first of them; with wait 0, what is there. [Concurrency] is how many batches are
// handled at once, default 16.
func (q *Queue) ConsumeBatches(ctx context.Context, size int, wait time.Duration, h BatchHandler, opts ...ConsumeOption) error {
	cfg, err := q.consumeConfig(opts)
	cfg.batch = batching{size, wait, h}
	switch {
	case err != nil:
	case h == nil:
		err = invalid("handler", "is nil")
	case size < 1 || size > 10000:
		err = invalid("size", "is %d: want 1 to 10000", size)
	case wait < 0 || wait > time.Hour:
		err = invalid("wait", "is %v: want 0 to 1h", wait)
	}
	if err != nil {
		return q.wrap("consume", "", err)
	}
	return q.consume(ctx, nil, cfg)
}

// batches is what the workers of a pool that handles batches share.
type batches struct {
	collecting bool          // one of them waits for a batch to fill
	wake       chan struct{} // ends that wait
}

func (b *batches) wakeCollector() { signal(b.wake) }

// readyCount is how many messages wait for a worker.
func (p *pool) readyCount() int {
	n := 0
	for i := range p.ready {
		n += p.ready[i].len()
	}
	return n
}

// workBatches handles batches until no message waits.
func (p *pool) workBatches() {
	p.mu.Lock()
	lost := false
	for !p.restingLocked() && !p.batches.collecting && p.readyCount() > 0 {
		p.collectLocked()
		batch := p.takeBatch()
		p.employLocked() // for the rest
		if len(batch) == 0 {
			lost = true
			continue
		}
		p.running += len(batch)
		p.mu.Unlock()
		took := p.handleBatch(batch) / time.Duration(len(batch))
		p.mu.Lock()
		p.ranLocked(len(batch), took)
		for _, m := range batch {
			lost = lost || m.lost || m.tx == txSettled
			p.settleLocked(m)
		}
		p.tellKeptLocked(batch...)
	}
	p.workers--
	p.signalLocked()
	p.mu.Unlock()
	if lost {
		p.poke() // as in work
	}
}

// collectLocked waits until a batch is full or its time is up, or nothing is there
// any more.
func (p *pool) collectLocked() {
	if p.cfg.batch.Wait == 0 {
		return
	}
	p.batches.collecting = true
	timeout := time.NewTimer(p.cfg.batch.Wait)
	defer timeout.Stop()
	for over := false; !over && !p.restingLocked() && p.readyCount() > 0 && p.readyCount() < p.cfg.batch.Size; {
		p.mu.Unlock()
		select {
		case <-p.batches.wake:
		case <-timeout.C:
			over = true
		}
		p.mu.Lock()
	}
	p.batches.collecting = false
}

// takeBatch takes what is ready, without what was lost meanwhile.
func (p *pool) takeBatch() (batch []*Message) {
	for len(batch) < p.cfg.batch.Size && !p.restingLocked() {
		m := p.next()
		if m == nil {
			break
		}
		if m.lost {
			p.releaseLocked(m)
			continue
		}
		batch = append(batch, m)
	}
	return batch
}

// handleBatch runs the handler and judges its results.
func (p *pool) handleBatch(batch []*Message) time.Duration {
	start := time.Now()
	run := make([]*Message, 0, len(batch))
	for _, m := range batch {
		if !p.dropUnseen(m, start) {
			run = append(run, m)
		}
	}
	if len(run) == 0 {
		return 1
	}
	ctx, cancel := context.WithCancelCause(p.base)
	defer cancel(nil)
	each := make([]context.Context, len(run))
	var left atomic.Int64
	left.Store(int64(len(run)))
	for i, m := range run {
		one := p.context(m)
		defer one.End(nil)
		each[i] = one
		stop := context.AfterFunc(one, func() {
			if left.Add(-1) == 0 {
				cancel(context.Cause(one))
			}
		})
		defer stop()
	}
	errs := callBatch(ctx, p.cfg.batch.handler, run)
	took := max(time.Since(start), 1)
	for i, m := range run {
		p.conclude(each[i], m, errs[i])
		p.c.noteRun(m, start, took, errs[i])
	}
	return took
}

// callBatch makes sure that there is an error or nil for each message.
func callBatch(ctx context.Context, h BatchHandler, batch []*Message) (errs []error) {
	all := func(err error) []error {
		errs := make([]error, len(batch))
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	defer func() {
		if v := recover(); v != nil {
			errs = all(&PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	errs = h(ctx, batch)
	switch {
	case errs == nil:
		return make([]error, len(batch))
	case len(errs) != len(batch):
		return all(fmt.Errorf("batch handler returned %d errors for %d messages", len(errs), len(batch)))
	}
	return errs
}
