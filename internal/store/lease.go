package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Join makes consumer part of the queue's group and returns its epoch.
func (q *Queue) Join(ctx context.Context, consumer string) (epoch string, err error) {
	level := ""
	if !q.isTopic() {
		level = strings.TrimPrefix(q.Stream[len(q.Base):], ":p")
	}
	cmd := joinScript.cmd(ctx, append([]string{q.Stream, q.Workers}, q.scope()...),
		q.group, consumer, level, q.Notices(), q.Name)
	list := redis.NewIntCmd(ctx, "SADD", q.s.keys.Queues(), q.Name)
	if err := q.s.pipe.doAll(ctx, []redis.Cmder{cmd, list}); err != nil {
		return "", classify(err)
	}
	epoch, err = cmd.Text()
	return epoch, classify(err)
}

// Renew renews the lease of the messages that consumer still owns, and returns
// those it does not. The epoch returned is one that it had while it owned all
// the others. Safe to repeat. At most MaxRenew ids.
func (q *Queue) Renew(ctx context.Context, consumer string, ids []string) (epoch string, lost []string, err error) {
	args := append(make([]any, 0, 2+len(ids)), q.group, consumer)
	for _, id := range ids {
		args = append(args, id)
	}
	reply, err := q.s.list(ctx, renewScript, []string{q.Stream, q.Workers}, args...)
	if err != nil {
		return "", nil, err
	}
	epoch, lost = epochAndLost(reply, nil)
	return epoch, lost, nil
}

// MaxRenew is how many messages one Renew takes.
const MaxRenew = maxScriptItems

// Reclaim takes over up to n messages whose lease has run out, and
// dead-letters those already delivered maxDeliveries times (0 = no limit).
func (q *Queue) Reclaim(ctx context.Context, consumer string, lease time.Duration, n, maxDeliveries int) (entries []Entry, buried int, err error) {
	keys, args := q.settleKeys(), []any{q.group, consumer, lease.Milliseconds(), n, maxDeliveries}
	if q.Topic != "" {
		keys, args = append(keys, q.Topic), append(args, q.Member)
	}
	reply, err := q.s.list(ctx, reclaimScript, keys, args...)
	if err != nil {
		return nil, 0, err
	}
	buried = int(integer(reply[0]))
	for _, v := range reply[1:] {
		item, _ := v.([]any)
		if len(item) != 3 {
			return entries, buried, fmt.Errorf("%w: reclaim returned %v", errProtocol, v)
		}
		id, _ := item[0].(string)
		e := newEntry(id, byteFields(item[1]))
		e.Deliveries = int(integer(item[2]))
		entries = append(entries, e)
	}
	return entries, buried, nil
}

// Release hands back everything that consumer owns and removes it from the
// group. Safe to repeat.
func (q *Queue) Release(ctx context.Context, consumer string) (n int, err error) {
	v, err := q.s.eval(ctx, releaseScript, []string{q.Stream, q.Workers},
		q.group, consumer, releasedIdle.Milliseconds(), q.Notices(), q.Name)
	return int(integer(v)), err
}

// HandBack hands back the messages with these ids that consumer owns, which
// stays in the group. Safe to repeat.
func (q *Queue) HandBack(ctx context.Context, consumer string, ids []string) (n int, err error) {
	for chunk := range slices.Chunk(ids, maxScriptItems) {
		args := append(make([]any, 0, 5+len(chunk)), q.group, consumer, releasedIdle.Milliseconds(), q.Notices(), q.Name)
		for _, id := range chunk {
			args = append(args, id)
		}
		v, err := q.s.eval(ctx, releaseScript, []string{q.Stream, q.Workers}, args...)
		if err != nil {
			return n, err
		}
		n += int(integer(v))
	}
	return n, nil
}

// HandBackLapsed hands back messages whose lease has run out, whoever owns them.
// Safe to repeat.
func (q *Queue) HandBackLapsed(ctx context.Context, lease time.Duration) (n int, err error) {
	v, err := q.s.eval(ctx, lapseScript, []string{q.Stream, q.Workers},
		q.group, lease.Milliseconds(), releasedIdle.Milliseconds(), maxScriptItems)
	return int(integer(v)), err
}

// releasedIdle is the idle time given to what is handed back: longer than any
// lease, so that the next reclaim takes it.
const releasedIdle = 365 * 24 * time.Hour

// Reap removes consumers that own nothing and were not seen for idle.
func (q *Queue) Reap(ctx context.Context, idle time.Duration) (int, error) {
	v, err := q.s.eval(ctx, reapScript, []string{q.Stream, q.Workers}, q.group, idle.Milliseconds())
	return int(integer(v)), err
}
