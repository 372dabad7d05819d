package store

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// DeadLetters returns up to n dead letters after the entry id after ("" for
// the oldest).
func (q *Queue) DeadLetters(ctx context.Context, after string, n int) ([]Entry, error) {
	return q.s.rangeOf(ctx, q.Dead, after, n)
}

// DeadLetter returns the dead letter with this entry id, or nil.
func (q *Queue) DeadLetter(ctx context.Context, id string) (*Entry, error) {
	found, err := q.s.rangeBetween(ctx, q.Dead, id, id, 1)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// LastDead is the entry id of the newest dead letter, "" when there is none.
// Working up to it ends even while new dead letters arrive.
func (q *Queue) LastDead(ctx context.Context) (string, error) {
	found, err := ask(ctx, q.s, redis.NewXMessageSliceCmd(ctx, "XREVRANGE", q.Dead, "+", "-", "COUNT", 1))
	if err != nil || len(found) == 0 {
		return "", err
	}
	return found[0].ID, nil
}

// Requeue sends the dead letters with entry ids in [first, last] again, up to
// n of them, oldest first, each exactly once. It returns how many were moved
// and the last one's entry id.
func (q *Queue) Requeue(ctx context.Context, first, last string, n int) (moved int, upTo string, err error) {
	reply, err := q.s.list(ctx, requeueScript, q.scope(q.Dead), first, last, n)
	if err != nil {
		return 0, "", err
	}
	if len(reply) != 2 {
		return 0, "", fmt.Errorf("%w: requeue returned %v", errProtocol, reply)
	}
	upTo, _ = reply[1].(string)
	return int(integer(reply[0])), upTo, nil
}

// RequeueEach is Requeue for single entry ids, in one round trip. moved[i]
// says whether there was a dead letter with ids[i].
func (q *Queue) RequeueEach(ctx context.Context, ids []string) (moved []bool, err error) {
	cmds := make([]redis.Cmder, len(ids))
	for i, id := range ids {
		cmds[i] = requeueScript.cmd(ctx, q.scope(q.Dead), id, id, 1)
	}
	if err := q.s.pipe.doAll(ctx, cmds); err != nil {
		return nil, classify(err)
	}
	moved = make([]bool, len(ids))
	for i, cmd := range cmds {
		reply, rerr := cmd.(*redis.Cmd).Slice()
		if rerr != nil {
			if err == nil {
				err = classify(rerr)
			}
			continue
		}
		moved[i] = len(reply) > 0 && integer(reply[0]) > 0
	}
	return moved, err
}

// DeleteDead deletes dead letters for good and returns how many there were.
func (q *Queue) DeleteDead(ctx context.Context, ids []string) (int64, error) {
	args := make([]any, 0, 2+len(ids))
	args = append(args, "XDEL", q.Dead)
	for _, id := range ids {
		args = append(args, id)
	}
	return q.s.count(ctx, args...)
}

// PurgeDead deletes all dead letters up to the entry id last and returns how many
// there were.
func (q *Queue) PurgeDead(ctx context.Context, last string) (int64, error) {
	return q.s.count(ctx, "XTRIM", q.Dead, "MINID", idAfter(last))
}
