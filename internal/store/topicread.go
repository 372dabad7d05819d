package store

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

// Read reads up to n entries of the topic after the entry start ("$": the last one)
// without consuming them.
func (t *Topic) Read(ctx context.Context, start string, n int) ([]Entry, error) {
	if start == "$" {
		return nil, nil
	}
	page := redis.NewRawCmd(ctx, "XRANGE", t.Stream, "("+start, "+", "COUNT", n)
	trimmed := redis.NewStringCmd(ctx, "HGET", t.Meta, "trimmed") // behind it: it may have been trimmed before
	if err := t.s.pipe.doAll(ctx, []redis.Cmder{page, trimmed}); err != nil {
		return nil, classify(err)
	}
	if err := trimmed.Err(); err != nil && !errors.Is(err, redis.Nil) {
		return nil, classify(err)
	}
	if from := trimmed.Val(); from != "" && start != "0-0" && Before(idAfter(start), from) {
		st, err := t.State(ctx)
		if err != nil {
			return nil, err
		}
		return nil, &PositionError{Gone: true, First: st.First, Last: st.Last}
	}
	raw, err := page.Result()
	if err != nil {
		return nil, classify(err)
	}
	return entries(raw)
}

// waitingOfTopic returns up to n entries of the topic after the entry id after that the
// group is not done with: those in flight, and then those it has not read.
func (q *Queue) waitingOfTopic(ctx context.Context, after string, n int) ([]Entry, error) {
	st, err := q.s.topicState(ctx, q.Topic, q.topicMeta())
	if err != nil {
		return nil, err
	}
	var out []Entry
	for _, g := range st.Groups {
		if g.Name != q.Group {
			continue
		}
		if after == "" {
			after = "0-0"
		}
		if Before(after, g.Last) {
			if out, err = q.pendingEntries(ctx, after, n); err != nil || len(out) == n {
				return out, err
			}
			after = g.Last
		}
		more, err := q.s.rangeOf(ctx, q.Stream, after, n-len(out))
		return append(out, more...), err
	}
	return out, nil
}

// pendingEntries returns up to n entries after the entry id after that are pending.
func (q *Queue) pendingEntries(ctx context.Context, after string, n int) ([]Entry, error) {
	list := redis.NewXPendingExtCmd(ctx, "XPENDING", q.Stream, q.group, idAfter(after), "+", n)
	if err := q.s.pipe.do(ctx, list); err != nil {
		return nil, classify(err)
	}
	if err := classify(list.Err()); err != nil {
		return nil, err
	}
	cmds := make([]redis.Cmder, len(list.Val()))
	for i, p := range list.Val() {
		cmds[i] = redis.NewRawCmd(ctx, "XRANGE", q.Stream, p.ID, p.ID)
	}
	if err := q.s.pipe.doAll(ctx, cmds); err != nil {
		return nil, classify(err)
	}
	var out []Entry
	for _, cmd := range cmds {
		raw, err := cmd.(*redis.RawCmd).Result()
		if err != nil {
			return nil, classify(err)
		}
		found, err := entries(raw)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}
