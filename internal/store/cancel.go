package store

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// CancelFor is how long a message is kept from being handled after a Cancel that
// could not remove it.
const CancelFor = 24 * time.Hour

// Canceled is what came of a Cancel.
type Canceled struct {
	Removed bool // else its id is marked
	// ReplyTo is the address of who waits for a reply to what was removed; "" is
	// nobody.
	ReplyTo string
}

// Cancel removes a message that waits, or marks its id. Safe to repeat: the second
// one marks.
func (q *Queue) Cancel(ctx context.Context, id string) (Canceled, error) {
	reply, err := q.s.list(ctx, cancelScript, q.scope(q.Delayed, q.Bodies, q.Canceled),
		group, id, CancelFor.Milliseconds(), q.Notices(), q.Name)
	if err != nil || len(reply) < 2 {
		return Canceled{}, err
	}
	to, _ := reply[1].(string)
	return Canceled{true, to}, nil
}

// Marks returns the ids that were marked at since (ms) or later, and when, and how
// many are marked in all.
func (q *Queue) Marks(ctx context.Context, since int64) (at map[string]int64, all int, err error) {
	found := redis.NewZSliceCmd(ctx, "ZRANGEBYSCORE", q.Canceled, strconv.FormatInt(since, 10), "+inf", "WITHSCORES")
	count := redis.NewIntCmd(ctx, "ZCARD", q.Canceled)
	if err := q.s.pipe.doAll(ctx, []redis.Cmder{found, count}); err != nil {
		return nil, 0, classify(err)
	}
	if err := found.Err(); err != nil {
		return nil, 0, classify(err)
	}
	for _, z := range found.Val() {
		if at == nil {
			at = make(map[string]int64, len(found.Val()))
		}
		id, _ := z.Member.(string)
		at[id] = int64(z.Score)
	}
	return at, int(count.Val()), classify(count.Err())
}
