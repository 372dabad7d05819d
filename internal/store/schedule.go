package store

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/redis/go-redis/v9"
)

// Promoted is how a queue stands after a Promote.
type Promoted struct {
	Next    time.Duration // until its next message is due; negative when it has none
	Control int64         // version of its settings
}

// Promote moves up to most messages a queue that are due to their streams. Safe to
// repeat. The queues must share a hash tag.
func (s *Store) Promote(ctx context.Context, queues []*Queue, most int) ([]Promoted, error) {
	keys := make([]string, 0, 6*len(queues))
	for _, q := range queues {
		keys = append(keys, q.scope(q.Delayed, q.Bodies)...)
	}
	reply, err := s.list(ctx, promoteScript, keys, most)
	if err != nil {
		return nil, err
	}
	if len(reply) != 2*len(queues) {
		return nil, fmt.Errorf("%w: promote returned %v", errProtocol, reply)
	}
	out := make([]Promoted, len(queues))
	for i := range out {
		next := min(integer(reply[2*i]), math.MaxInt64/1_000_000)
		out[i] = Promoted{time.Duration(next) * time.Millisecond, integer(reply[2*i+1])}
	}
	return out, nil
}

// Scheduled returns up to n scheduled messages, the next one due first,
// skipping the first offset.
func (q *Queue) Scheduled(ctx context.Context, offset, n int) ([]Entry, error) {
	heads := redis.NewZSliceCmd(ctx, "ZRANGE", q.Delayed, offset, offset+n-1, "WITHSCORES")
	if err := q.s.pipe.do(ctx, heads); err != nil {
		return nil, classify(err)
	}
	found, err := heads.Result()
	if err != nil || len(found) == 0 {
		return nil, classify(err)
	}
	args := []any{"HMGET", q.Bodies}
	for _, z := range found {
		args = append(args, z.Member)
	}
	bodies := redis.NewSliceCmd(ctx, args...)
	if err := q.s.pipe.do(ctx, bodies); err != nil {
		return nil, classify(err)
	}
	if err := bodies.Err(); err != nil {
		return nil, classify(err)
	}
	out := make([]Entry, 0, len(found))
	for i, body := range bodies.Val() {
		text, ok := body.(string)
		if !ok {
			continue // it became due in between
		}
		token, _ := found[i].Member.(string)
		e := Entry{Entry: token, Due: time.UnixMilli(int64(found[i].Score))}
		fields, err := UnpackFields(text)
		if err == nil {
			e.Envelope, err = DecodeEnvelope(fields)
		}
		e.Malformed = err
		out = append(out, e)
	}
	return out, nil
}
