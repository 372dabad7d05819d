package store

import (
	"context"
	"fmt"
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
	cmd := redis.NewSliceCmd(ctx, "HMGET", q.Meta, "@version", "paused", "levels", "running", "rate", "per", "burst")
	if err := q.s.pipe.do(ctx, cmd); err != nil {
		return Control{}, classify(err)
	}
	v, err := cmd.Result()
	if err != nil || len(v) != 7 {
		return Control{}, classify(err)
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

// Wanted is what a Take is to bring.
type Wanted struct {
	Most int // messages
	// Plan has a digit for each message: which of the levels it is to come from.
	// What these do not have comes from the others, the first ones first. "" = all
	// of it.
	Plan string
	// UpTo is the most to take from each level and those before it.
	UpTo []int
}

// Taken is what came of a Take.
type Taken struct {
	// Why there was no more: "", "empty", "paused", "running", "returned" (as
	// "running", but some of it was handed back), "rate", "blocked" (too many of a
	// group wait for others with their ordering keys).
	Why  string
	Wait time.Duration // until the rate allows more
	Last []string      // of each level, when it is empty: the last entry that was delivered
	More []bool        // whether each level has more; told where there are several
}

// Take reads new messages of the levels of one queue, the most urgent first, as far
// as its limits allow. It does not wait. One of the levels may be the topic of a
// group (see Queue.OfTopic).
func (s *Store) Take(ctx context.Context, consumer string, levels []*Queue, w Wanted, each func(level int, e Entry)) (Taken, error) {
	var t Taken
	keys := levels[0].scope(levels[0].Rate)
	args := append(make([]any, 0, 3+2*len(levels)), consumer, w.Most, w.Plan)
	for i, q := range levels {
		keys, args = append(keys, q.Stream), append(args, q.group, w.UpTo[i])
	}
	reply, err := s.list(ctx, takeScript, keys, args...)
	if err != nil {
		return t, err
	}
	if len(reply) < 2 {
		return t, fmt.Errorf("%w: take returned %v", errProtocol, reply)
	}
	t.Why, _ = reply[0].(string)
	if t.Why == "nogroup" {
		return t, ErrNoGroup
	}
	t.Wait = time.Duration(integer(reply[1])) * time.Millisecond
	for i, v := range reply[2:] {
		entries, _ := v.([]any)
		if len(entries) < 2 {
			return t, fmt.Errorf("%w: take returned %v", errProtocol, v)
		}
		last, _ := entries[0].(string)
		t.Last, t.More = append(t.Last, last), append(t.More, integer(entries[1]) > 0)
		for _, v := range entries[2:] {
			pair, _ := v.([]any)
			if len(pair) != 2 {
				return t, fmt.Errorf("%w: take returned %v", errProtocol, v)
			}
			id, _ := pair[0].(string)
			e := newEntry(id, byteFields(pair[1]))
			e.Deliveries = 1
			each(i, e)
		}
	}
	return t, nil
}

// Await waits up to wait until one of the queues has an entry after its one in
// last. It may return early.
func (r *Reader) Await(ctx context.Context, queues []*Queue, last []string, wait time.Duration) error {
	args := append(r.buf[:0], "XREAD", "COUNT", 1, "BLOCK", max(r.block(wait).Milliseconds(), 1), "STREAMS")
	for _, q := range queues {
		args = append(args, q.stream)
	}
	for _, id := range last {
		args = append(args, id)
	}
	r.buf = args
	r.busy.Store(true)
	defer r.busy.Store(false)
	reply, err := r.run(ctx, queues[0].Stream, args)
	if reply == nil {
		return classify(err)
	}
	parse := resp{b: reply}
	return classify(parse.streams(func(_, _ []byte, _ [][]byte) error { return nil }))
}
