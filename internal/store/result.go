package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Result is what was kept of a message's end.
type Result struct {
	Status string // done, dead, canceled
	At     time.Time
	Value  []byte // what the handler returned, or the error
}

// ResultOf returns what was kept of a message's end, nil when there is nothing
// (yet, or any more).
func (q *Queue) ResultOf(ctx context.Context, id string) (*Result, error) {
	packed, err := ask(ctx, q.s, redis.NewStringCmd(ctx, "GET", q.Result(id)))
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	parts, err := UnpackFields(packed)
	if err != nil || len(parts) != 3 {
		return nil, fmt.Errorf("%w: result %.40q", errProtocol, packed)
	}
	return &Result{string(parts[0]), time.UnixMilli(integer(string(parts[1]))), parts[2]}, nil
}
