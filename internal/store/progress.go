package store

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// SetProgress keeps a note about a message for a time. The end of the message's
// life deletes it (lib.lua).
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
