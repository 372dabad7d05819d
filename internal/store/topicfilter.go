package store

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"
)

// SetTypes sets which types of a topic's messages a group gets, by patterns that have
// been checked; without any it gets all.
func (q *Queue) SetTypes(ctx context.Context, patterns []string) error {
	return q.setControl(ctx, "types", Pack(patterns...))
}

// GroupSettings are a group's settings and counters beyond those of a queue.
type GroupSettings struct {
	Types             []string
	Filtered, Dropped int64 // messages ever
}

// GroupSettings reads them.
func (q *Queue) GroupSettings(ctx context.Context) (GroupSettings, error) {
	var out GroupSettings
	v, err := ask(ctx, q.s, redis.NewSliceCmd(ctx, "HMGET", q.Meta, "types", "filtered", "dropped"))
	if err != nil {
		return out, err
	}
	text, _ := v[0].(string)
	patterns, err := UnpackFields(text)
	for _, p := range patterns {
		out.Types = append(out.Types, string(p))
	}
	slices.Sort(out.Types)
	out.Filtered, out.Dropped = integer(v[1]), integer(v[2])
	return out, err
}
