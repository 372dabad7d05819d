package leanmq

import (
	"context"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

// Limits bound what all consumers of a queue, in all processes, do together. Zero
// fields mean: no limit.
type Limits struct {
	// Running is how many messages may be in flight at once. What a worker that
	// died had counts until its lease has run out.
	Running int `validate:"min=0,max=1000000"`
	// Rate is how many messages are handed out in Per (default 1 s), evenly.
	// Messages that are taken over from a dead worker do not count again.
	Rate int           `validate:"min=0,max=1000000"`
	Per  time.Duration `validate:"omitempty,min=1ms,max=24h"`
	// Burst is how many of them may be handed out at once after a pause.
	// Default: 1.
	Burst int `validate:"min=0,max=1000000"`
}

// SetLimits replaces the queue's limits, which are kept in Redis. Processes that
// fetch already see new ones within a second, mostly at once; from then on all that
// they fetch keeps to them exactly. The zero Limits lift them.
func (q *Queue) SetLimits(ctx context.Context, l Limits) error {
	err := q.err
	if err == nil {
		err = l.check()
	}
	if err == nil {
		err = q.sq.SetLimits(ctx, l.stored())
	}
	return q.wrap("set limits", "", err)
}

// Limits returns the queue's limits.
func (q *Queue) Limits(ctx context.Context) (Limits, error) {
	if q.err != nil {
		return Limits{}, q.wrap("limits", "", q.err)
	}
	c, err := q.sq.Control(ctx)
	return Limits(c.Limits), q.wrap("limits", "", err)
}

// LimitTo sets the queue's limits, as [Queue.SetLimits] does, when the consumer
// starts, and after Redis has lost them. Processes that start with different ones
// overwrite each other.
func LimitTo(l Limits) ConsumeOption {
	return func(c *consumeConfig) {
		if err := l.check(); err != nil {
			c.fail(err)
		}
		c.limits = &l
	}
}

func (l Limits) check() error {
	switch {
	case l.Rate == 0 && l.Per != 0:
		return invalid("Per", "is %v without a Rate: set Rate as well", l.Per)
	case l.Rate == 0 && l.Burst != 0:
		return invalid("Burst", "is %d without a Rate: set Rate as well", l.Burst)
	}
	return check(&l)
}

func (l Limits) stored() store.Limits {
	if l.Rate > 0 {
		if l.Per == 0 {
			l.Per = time.Second
		}
		l.Burst = max(l.Burst, 1)
	}
	return store.Limits(l)
}
