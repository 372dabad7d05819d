package store

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"
)

// OrderKeys returns the ordering keys under which a message is under way, sorted.
func (q *Queue) OrderKeys(ctx context.Context) ([]string, error) {
	keys, err := ask(ctx, q.s, redis.NewStringSliceCmd(ctx, "HKEYS", q.Order))
	slices.Sort(keys)
	return keys, err
}

// Blocked returns up to n messages that wait behind others with this ordering key,
// the next one first, skipping the first offset.
func (q *Queue) Blocked(ctx context.Context, key string, offset, n int) ([]Entry, error) {
	bodies, err := ask(ctx, q.s, redis.NewStringSliceCmd(ctx, "LRANGE", q.Lane(key), offset, offset+n-1))
	out := make([]Entry, len(bodies))
	for i, body := range bodies {
		fields, err := UnpackFields(body)
		if err == nil {
			out[i].Envelope, err = DecodeEnvelope(fields)
		}
		out[i].Malformed = err
	}
	return out, err
}
