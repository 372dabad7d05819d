package store

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// SetProgress keeps a note about a message for a time.
func (q *Queue) SetProgress(ctx context.Context, id, note string, keep time.Duration) error {
	cmd := redis.NewStatusCmd(ctx, "SET", q.Progress(id), note, "PX", keep.Milliseconds())
	if err := q.s.pipe.do(ctx, cmd); err != nil {
		return classify(err)
	}
	return classify(cmd.Err())
}

// ProgressOf returns the note about a message, "" when there is none.
func (q *Queue) ProgressOf(ctx context.Context, id string) (string, error) {
	cmd := redis.NewStringCmd(ctx, "GET", q.Progress(id))
	if err := q.s.pipe.do(ctx, cmd); err != nil {
		return "", classify(err)
	}
	note, err := cmd.Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return note, classify(err)
}

// ForgetProgress deletes the note about a message.
func (q *Queue) ForgetProgress(ctx context.Context, id string) error {
	_, err := q.s.count(ctx, "DEL", q.Progress(id))
	return err
}

// Pending is a message that a consumer has.
type Pending struct {
	Entry
	Worker   string
	Idle     time.Duration // since its lease was renewed
	Progress string
}

// InFlight returns up to n messages that consumers have, oldest first.
func (q *Queue) InFlight(ctx context.Context, n int) ([]Pending, error) {
	list := redis.NewXPendingExtCmd(ctx, "XPENDING", q.Stream, group, "-", "+", n)
	if err := q.s.pipe.do(ctx, list); err != nil {
		return nil, classify(err)
	}
	if err := classify(list.Err()); errors.Is(err, ErrNoGroup) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var out []Pending
	for _, p := range list.Val() {
		if p.Consumer == released {
			continue // it waits for a worker
		}
		found, err := q.s.rangeBetween(ctx, q.Stream, p.ID, p.ID, 1)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			continue // settled in between
		}
		e := found[0]
		e.Deliveries = int(p.RetryCount)
		id := e.ID
		if id == "" {
			id = e.Entry
		}
		note, err := q.ProgressOf(ctx, id)
		if err != nil {
			return nil, err
		}
		out = append(out, Pending{Entry: e, Worker: p.Consumer, Idle: p.Idle, Progress: note})
	}
	return out, nil
}

// released is the consumer that has what was handed back (release.lua).
const released = "released"
