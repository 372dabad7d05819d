package store

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// cancelFor is how long a message is kept from being handled after a Cancel that
// did not find it.
const cancelFor = 24 * time.Hour

// Cancel removes a message that waits, or marks its id. It reports whether it was
// removed.
func (q *Queue) Cancel(ctx context.Context, id string) (removed bool, err error) {
	v, err := q.s.eval(ctx, cancelScript, q.scope(q.Delayed, q.Bodies, q.Canceled),
		group, id, cancelFor.Milliseconds(), q.s.keys.Notices(), q.Name)
	return integer(v) == 1, err
}

// CanceledIDs returns the marked ids, nil when there are none.
func (q *Queue) CanceledIDs(ctx context.Context) (map[string]struct{}, error) {
	cmd := redis.NewStringSliceCmd(ctx, "ZRANGE", q.Canceled, 0, -1)
	if err := q.s.pipe.do(ctx, cmd); err != nil {
		return nil, classify(err)
	}
	ids, err := cmd.Result()
	if err != nil || len(ids) == 0 {
		return nil, classify(err)
	}
	marked := make(map[string]struct{}, len(ids))
	for _, id := range ids {
		marked[id] = struct{}{}
	}
	return marked, nil
}

// Uncancel forgets the mark of a message that is gone.
func (q *Queue) Uncancel(ctx context.Context, id string) error {
	_, err := q.s.count(ctx, "ZREM", q.Canceled, id)
	return err
}
