package scenario

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/leanmq/leanmq/bench/measure"
	"github.com/leanmq/leanmq/bench/system"
)

// fill sends n messages, or fewer if that takes longer than limit (0: none), the
// fastest way that the system has. It returns how many it sent.
func fill(ctx context.Context, r *Run, n int, limit time.Duration) (int, error) {
	if limit == 0 {
		limit = time.Hour
	}
	batches, ok := r.Open.(system.BatchSender)
	if !ok {
		one := r.Open.(system.Sender)
		calls, err := measure.Load{Callers: 100, For: limit, Max: n}.Run(func(int) error { return one.Send(ctx, r.Payload) })
		return len(calls.Took), err
	}
	size := max(1, min(200, n/8, (4<<20)/max(len(r.Payload), 1)))
	batch := slices.Repeat([][]byte{r.Payload}, size)
	var taken atomic.Int64
	_, err := measure.Load{Callers: 8, For: limit, Max: (n + size - 1) / size}.Run(func(int) error {
		part := batch
		if over := int(taken.Add(int64(size))) - n; over > 0 {
			part = batch[over:]
		}
		return batches.SendMany(ctx, part)
	})
	return min(int(taken.Load()), n), err
}
