package store

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Control is what a queue's settings say to its consumers.
type Control struct {
	Version int64 // changes with every change
	Paused  bool
	Levels  []int // priority levels in use beyond the normal one
	Limits  Limits
}

// Limits bound what all consumers of a queue do together. Zero: no limit.
type Limits struct {
	Running int // messages in flight
	Rate    int // messages handed out in Per
	Per     time.Duration
	Burst   int // of them at once, after a pause
}

// Control reads the queue's settings.
func (q *Queue) Control(ctx context.Context) (Control, error) {
	v, err := ask(ctx, q.s, redis.NewSliceCmd(ctx, "HMGET", q.Meta, "@version", "paused", "levels", "running", "rate", "per", "burst"))
	if err != nil || len(v) != 7 {
		return Control{}, err
	}
	c := Control{
		Version: integer(v[0]),
		Paused:  v[1] != nil,
		Limits: Limits{
			Running: int(integer(v[3])), Rate: int(integer(v[4])),
			Per: time.Duration(integer(v[5])) * time.Microsecond, Burst: int(integer(v[6])),
		},
	}
	levels, _ := v[2].(string)
	c.Levels = parseLevels(levels)
	return c, nil
}

func parseLevels(s string) (levels []int) {
	for _, r := range s {
		if n := int(r - '0'); n > 0 && n < Levels { // others are of a newer version
			levels = append(levels, n)
		}
	}
	return levels
}

// SetPaused pauses the queue for all consumers, or lets it go on.
func (q *Queue) SetPaused(ctx context.Context, paused bool) error {
	value := ""
	if paused {
		value = "1"
	}
	return q.setControl(ctx, "paused", value)
}

// SetLimits replaces the queue's limits.
func (q *Queue) SetLimits(ctx context.Context, l Limits) error {
	num := func(n int64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	return q.setControl(ctx, "running", num(int64(l.Running)), "rate", num(int64(l.Rate)),
		"per", num(l.Per.Microseconds()), "burst", num(int64(l.Burst)))
}

func (q *Queue) setControl(ctx context.Context, pairs ...string) error {
	args := []any{q.Notices(), q.Name}
	for _, p := range pairs {
		args = append(args, p)
	}
	_, err := q.s.eval(ctx, controlScript, []string{q.Meta}, args...)
	return err
}
