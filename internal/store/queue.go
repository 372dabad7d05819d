package store

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Queue is the handle of one queue. It is safe for concurrent use.
type Queue struct {
	QueueKeys
	s      *Store
	stream any  // Stream, boxed once
	group  any  // Group, boxed once
	topic  bool // what is sent is published to a topic
	// listed is when this process last put the name into the registry. It is
	// repeated now and then because the registry can be flushed away.
	listed atomic.Int64
}

const relistAfter = time.Minute

// listingDue reports whether relist has to do something.
func listingDue(last int64) bool { return time.Now().UnixNano()-last >= int64(relistAfter) }

// Queue returns the handle of the queue called name.
func (s *Store) Queue(name string) (*Queue, error) {
	keys, err := s.keys.Queue(name)
	if err != nil {
		return nil, err
	}
	return newQueue(s, keys), nil
}

func newQueue(s *Store, keys QueueKeys) *Queue {
	return &Queue{QueueKeys: keys, s: s, stream: keys.Stream, group: keys.Group}
}

// Levels is how many priority levels there are. Level 0 is the normal one.
const Levels = 4

// Level returns the handle of the same queue that reads and settles messages of
// one priority level.
func (q *Queue) Level(n int) *Queue { return newQueue(q.s, q.level(n)) }

// scope is the keys that queue() in lib.lua takes, and more.
func (q *Queue) scope(more ...string) []string {
	return append([]string{q.Base, q.Order, q.Unique, q.Meta}, more...)
}

// relist returns the command that puts the queue's name into the registry when
// that is due, else nil.
func (q *Queue) relist(ctx context.Context) redis.Cmder {
	if last := q.listed.Load(); !listingDue(last) || !q.listed.CompareAndSwap(last, time.Now().UnixNano()) {
		return nil
	}
	if q.topic {
		return redis.NewIntCmd(ctx, "SADD", q.s.keys.Topics(), q.Name)
	}
	return redis.NewIntCmd(ctx, "SADD", q.s.keys.Queues(), q.Name)
}

// Delete deletes the queue and all it holds, its periodic jobs included. Unless force is
// set it does nothing to a queue with messages and returns how many there are.
func (q *Queue) Delete(ctx context.Context, force bool) (left int64, err error) {
	flag := "0"
	if force {
		flag = "1"
	}
	keys := q.scope(q.Delayed, q.Dead, q.Bodies, q.Workers, q.Rate, q.Canceled, q.QueueKeys.Periodic)
	if q.Topic != "" {
		keys = append(keys, q.Topic)
	}
	v, err := q.s.eval(ctx, deleteScript, keys, flag, q.Member)
	if left = integer(v); err != nil || left > 0 {
		return left, err
	}
	_, err = q.s.count(ctx, "SREM", q.s.keys.Queues(), q.Name)
	q.listed.Store(0)
	return 0, err
}

// Create makes the stream and its group, and lists the queue.
func (q *Queue) Create(ctx context.Context) error {
	if q.Topic != "" {
		if _, err := q.Subscribe(ctx, "0-0", nil); err != nil {
			return err
		}
	}
	create := redis.NewStatusCmd(ctx, "XGROUP", "CREATE", q.Stream, group, "0", "MKSTREAM")
	create.SetFirstKeyPos(2)
	list := redis.NewIntCmd(ctx, "SADD", q.s.keys.Queues(), q.Name)
	if err := q.s.pipe.doAll(ctx, []redis.Cmder{create, list}); err != nil {
		return classify(err)
	}
	if err := create.Err(); err != nil && !isBusyGroup(err) {
		return classify(err)
	}
	return classify(list.Err())
}

func isBusyGroup(err error) bool { return strings.HasPrefix(err.Error(), "BUSYGROUP") }
