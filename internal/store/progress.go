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
	_, err := ask(ctx, q.s, redis.NewStatusCmd(ctx, "SET", q.Progress(id), note, "PX", keep.Milliseconds()))
	return err
}

// ProgressOf returns the note about a message, "" when there is none.
func (q *Queue) ProgressOf(ctx context.Context, id string) (string, error) {
	note, err := ask(ctx, q.s, redis.NewStringCmd(ctx, "GET", q.Progress(id)))
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return note, err
}
