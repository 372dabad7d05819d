package leanmq

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
)

// Pause pauses all partitions, as [Queue.Pause] does. Pausing twice is fine, and so
// is trying again when it failed for some.
func (q *PartitionedQueue) Pause(ctx context.Context) error {
	if err := q.fix(ctx); err != nil {
		return q.wrap("pause", err)
	}
	return q.each(ctx, "pause", func(p *Queue) error { return p.Pause(ctx) })
}

// Resume ends a Pause of all partitions.
func (q *PartitionedQueue) Resume(ctx context.Context) error {
	if err := q.fix(ctx); err != nil {
		return q.wrap("resume", err)
	}
	return q.each(ctx, "resume", func(p *Queue) error { return p.Resume(ctx) })
}

// each calls do for all partitions at once.
func (q *PartitionedQueue) each(ctx context.Context, op string, do func(*Queue) error) error {
	if err := q.check(ctx); err != nil {
		return q.wrap(op, err)
	}
	errs := make([]error, len(q.parts))
	var wg sync.WaitGroup
	for i, p := range q.parts {
		wg.Go(func() { errs[i] = do(p) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// DeadLetters iterates over the dead letters of one partition after another, as
// [Queue.DeadLetters] does. Message.Queue names the partition: that is the queue to
// [Queue.Requeue] it to.
func (q *PartitionedQueue) DeadLetters(ctx context.Context) iter.Seq2[*DeadLetter, error] {
	return func(yield func(*DeadLetter, error) bool) {
		if err := q.check(ctx); err != nil {
			yield(nil, q.wrap("dead letters", err))
			return
		}
		for _, p := range q.parts {
			for d, err := range p.DeadLetters(ctx) {
				if !yield(d, err) || err != nil {
					return
				}
			}
		}
	}
}

// RequeueAll sends the dead letters of all partitions again, as [Queue.RequeueAll]
// does, and returns how many.
func (q *PartitionedQueue) RequeueAll(ctx context.Context) (total int, err error) {
	var mu sync.Mutex
	err = q.each(ctx, "requeue", func(p *Queue) error {
		n, err := p.RequeueAll(ctx)
		mu.Lock()
		total += n
		mu.Unlock()
		return err
	})
	return total, err
}

// Delete deletes the queue; after that its number of partitions can be another one.
// If a partition still holds messages, dead letters included, the result is
// [ErrNotEmpty]; while somebody consumes the queue it is [ErrConsuming]. Stop
// those who send before, too: they find out about another number within ten seconds,
// and what they send until then may be where nobody looks.
func (q *PartitionedQueue) Delete(ctx context.Context) error {
	if err := q.check(ctx); err != nil {
		return q.wrap("delete", err)
	}
	members, err := q.set.List(ctx)
	if err == nil && len(members) > 0 {
		err = fmt.Errorf("%w: stop %s", ErrConsuming, strings.Join(members, ", "))
	}
	if err != nil {
		return q.wrap("delete", err)
	}
	if err := q.each(ctx, "delete", func(p *Queue) error { return p.Delete(ctx) }); err != nil {
		return err
	}
	// Last: until then nobody can come with another number.
	if err := q.set.Forget(ctx); err != nil {
		return q.wrap("delete", err)
	}
	q.shared.confirmed.Store(0)
	return nil
}
