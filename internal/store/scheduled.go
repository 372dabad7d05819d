package store

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// Scheduled returns up to n scheduled messages, the next one due first,
// skipping the first offset.
func (q *Queue) Scheduled(ctx context.Context, offset, n int) ([]Entry, error) {
	var out []Entry
	for at := 0; len(out) < offset+n; {
		page := offset + n - len(out)
		tokens, err := q.tokens(ctx, at, page)
		if err != nil {
			return nil, err
		}
		entries, err := q.scheduled(ctx, tokens)
		if err != nil {
			return nil, err
		}
		out = append(out, entries...)
		if at += len(tokens); len(tokens) < page {
			break
		}
	}
	return out[min(offset, len(out)):], nil
}

// tokens reads a page of what is scheduled, by due time.
func (q *Queue) tokens(ctx context.Context, offset, n int) ([]redis.Z, error) {
	return ask(ctx, q.s, redis.NewZSliceCmd(ctx, "ZRANGE", q.Delayed, offset, offset+n-1, "WITHSCORES"))
}

// scheduled reads the messages of tokens, without those that became due in
// between and without the ticks of periodic jobs.
func (q *Queue) scheduled(ctx context.Context, tokens []redis.Z) ([]Entry, error) {
	if len(tokens) == 0 {
		return nil, nil
	}
	args := []any{"HMGET", q.Bodies}
	for _, z := range tokens {
		args = append(args, z.Member)
	}
	bodies := redis.NewSliceCmd(ctx, args...)
	if err := q.s.pipe.do(ctx, bodies); err != nil {
		return nil, classify(err)
	}
	if err := bodies.Err(); err != nil {
		return nil, classify(err)
	}
	out := make([]Entry, 0, len(tokens))
	for i, body := range bodies.Val() {
		if text, ok := body.(string); ok {
			token, _ := tokens[i].Member.(string)
			out = append(out, newScheduled(token, tokens[i].Score, text))
		}
	}
	return out, nil
}

func newScheduled(token string, due float64, body string) Entry {
	e := Entry{Entry: token, Due: time.UnixMilli(int64(due))}
	fields, err := UnpackFields(body)
	if err == nil {
		e.Envelope, err = DecodeEnvelope(fields)
	}
	e.Malformed = err
	return e
}

// ScheduledMessage returns the scheduled message with this id, or nil.
func (q *Queue) ScheduledMessage(ctx context.Context, id string) (*Entry, error) {
	due := redis.NewFloatCmd(ctx, "ZSCORE", q.Delayed, id)
	body := redis.NewStringCmd(ctx, "HGET", q.Bodies, id)
	if err := q.s.pipe.doAll(ctx, []redis.Cmder{due, body}); err != nil {
		return nil, classify(err)
	}
	for _, err := range []error{due.Err(), body.Err()} {
		if errors.Is(err, redis.Nil) {
			return nil, nil
		}
		if err != nil {
			return nil, classify(err)
		}
	}
	e := newScheduled(id, due.Val(), body.Val())
	if e.ID != id {
		return nil, nil // a token that is another message's
	}
	return &e, nil
}

// CancelScheduled deletes the scheduled message with this id and reports whether
// there was one.
func (q *Queue) CancelScheduled(ctx context.Context, id string) (found bool, err error) {
	v, err := q.s.eval(ctx, cancelScheduledScript, q.scope(q.Delayed, q.Bodies), id)
	return integer(v) == 1, err
}

// Reschedule moves the scheduled message with this id to another time and reports
// whether there was one. Safe to repeat.
func (q *Queue) Reschedule(ctx context.Context, id string, due time.Time) (found bool, err error) {
	v, err := q.s.eval(ctx, rescheduleScript, []string{q.Delayed, q.Bodies},
		q.Notices(), q.Name, id, dueMs(due))
	return integer(v) == 1, err
}
