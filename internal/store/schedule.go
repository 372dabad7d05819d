package store

import (
	"context"
	"math"
	"time"

	"github.com/redis/go-redis/v9"
)

// Promote moves up to most messages a queue that are due to their streams. It
// returns for each queue the time until its next message is due, negative when
// it has none. Safe to repeat. The queues must share a hash tag.
func (s *Store) Promote(ctx context.Context, queues []*Queue, most int) ([]time.Duration, error) {
	keys := make([]string, 0, 3*len(queues))
	for _, q := range queues {
		keys = append(keys, q.Stream, q.Delayed, q.Bodies)
	}
	reply, err := s.list(ctx, promoteScript, keys, most)
	if err != nil {
		return nil, err
	}
	next := make([]time.Duration, len(reply))
	for i, v := range reply {
		next[i] = time.Duration(min(integer(v), math.MaxInt64/1_000_000)) * time.Millisecond
	}
	return next, nil
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
