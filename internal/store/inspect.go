package store

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"
)

// Info counts what a queue holds.
type Info struct {
	Ready, InFlight, Scheduled, Dead int64
	Blocked                          int64 // behind others with their ordering key
	Consumers                        int64
	Paused                           bool
	Expired, Canceled                int64 // messages ever
	Exists                           bool
}

// Infos counts what queues hold, in one round trip.
func (s *Store) Infos(ctx context.Context, queues []*Queue) ([]Info, error) {
	counts := make([]counting, len(queues))
	var cmds []redis.Cmder
	for i, q := range queues {
		counts[i] = newCounting(ctx, q)
		cmds = append(cmds, counts[i].cmds()...)
	}
	if err := s.pipe.doAll(ctx, cmds); err != nil {
		return nil, classify(err)
	}
	infos := make([]Info, len(queues))
	for i, q := range queues {
		var err error
		if infos[i], err = counts[i].info(); err != nil {
			return nil, err
		}
		if err := q.addLevels(ctx, &infos[i], counts[i].levels()); err != nil {
			return nil, err
		}
		if err := q.addTopic(ctx, &infos[i]); err != nil {
			return nil, err
		}
	}
	return infos, nil
}

// Info counts what the queue holds.
func (q *Queue) Info(ctx context.Context) (Info, error) {
	infos, err := q.s.Infos(ctx, []*Queue{q})
	if err != nil {
		return Info{}, err
	}
	return infos[0], nil
}

// counting is the commands that count one queue.
type counting struct {
	length, dead, delayed *redis.IntCmd
	ticks                 *redis.IntCmd // those of periodic jobs, which stand in delayed
	groups                *redis.XInfoGroupsCmd
	pending               *redis.XPendingCmd
	meta                  *redis.SliceCmd
}

func newCounting(ctx context.Context, q *Queue) counting {
	return counting{
		length:  redis.NewIntCmd(ctx, "XLEN", q.Stream),
		dead:    redis.NewIntCmd(ctx, "XLEN", q.Dead),
		delayed: redis.NewIntCmd(ctx, "ZCARD", q.Delayed),
		ticks:   redis.NewIntCmd(ctx, "HLEN", q.QueueKeys.Periodic),
		groups:  redis.NewXInfoGroupsCmd(ctx, q.Stream),
		pending: redis.NewXPendingCmd(ctx, "XPENDING", q.Stream, q.group),
		meta:    redis.NewSliceCmd(ctx, "HMGET", q.Meta, "levels", "blocked", "paused", CounterExpired, CounterCanceled),
	}
}

func (c *counting) cmds() []redis.Cmder {
	return []redis.Cmder{c.length, c.dead, c.delayed, c.ticks, c.groups, c.pending, c.meta}
}

func (c *counting) info() (Info, error) {
	var info Info
	for _, cmd := range []redis.Cmder{c.length, c.dead, c.delayed, c.ticks, c.meta} {
		if err := cmd.Err(); err != nil {
			return info, classify(err)
		}
	}
	for _, g := range c.groups.Val() { // an error means: no stream yet
		if g.Name == group {
			info.Consumers = g.Consumers
		}
	}
	if p := c.pending.Val(); p != nil {
		// What was handed back waits for a worker.
		info.InFlight = p.Count - p.Consumers[released]
		if p.Consumers[released] > 0 {
			info.Consumers--
		}
	}
	info.Ready = max(c.length.Val()-info.InFlight, 0)
	info.Scheduled, info.Dead = max(c.delayed.Val()-c.ticks.Val(), 0), c.dead.Val()
	meta := c.meta.Val()
	info.Blocked, info.Paused = integer(meta[1]), meta[2] != nil
	info.Expired, info.Canceled = integer(meta[3]), integer(meta[4])
	info.Exists = c.groups.Err() == nil || c.levels() != "" || info.Ready+info.Scheduled+info.Dead+c.ticks.Val() > 0
	return info, nil
}

func (c *counting) levels() string {
	levels, _ := c.meta.Val()[0].(string)
	return levels
}

// addLevels adds what the streams of the priority levels hold.
func (q *Queue) addLevels(ctx context.Context, info *Info, levels string) error {
	for _, n := range parseLevels(levels) {
		c := newCounting(ctx, q.Level(n))
		if err := q.s.pipe.doAll(ctx, []redis.Cmder{c.length, c.pending}); err != nil {
			return classify(err)
		}
		if err := c.length.Err(); err != nil {
			return classify(err)
		}
		inFlight := int64(0)
		if p := c.pending.Val(); p != nil {
			inFlight = p.Count - p.Consumers[released]
		}
		info.InFlight += inFlight
		info.Ready += max(c.length.Val()-inFlight, 0)
	}
	return nil
}

// QueueNames returns the names of all queues, sorted.
func (s *Store) QueueNames(ctx context.Context) ([]string, error) {
	return s.names(ctx, s.keys.Queues())
}

func (s *Store) names(ctx context.Context, registry string) ([]string, error) {
	names, err := ask(ctx, s, redis.NewStringSliceCmd(ctx, "SMEMBERS", registry))
	slices.Sort(names)
	return names, err
}
