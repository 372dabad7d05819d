package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// MissingError says that an event which an index names is not in the log.
type MissingError struct{ Entry string }

func (e *MissingError) Error() string {
	return fmt.Sprintf("event %s is in an index and not in the log", e.Entry)
}

// ErrNoPosition means that the log has no event at a position.
var ErrNoPosition = errors.New("there is no event at this position")

// OfAggregate returns up to n events of an aggregate, those after a version.
func (l *Events) OfAggregate(ctx context.Context, aggregate string, after int64, n int) ([]Entry, error) {
	return l.indexed(ctx, l.Aggregate(aggregate), after, n)
}

// OfType returns the entries of up to n events of a type, those from an offset in
// its index on.
func (l *Events) OfType(ctx context.Context, typ string, from int64, n int) ([]string, error) {
	return ask(ctx, l.s, redis.NewStringSliceCmd(ctx, "LRANGE", l.Type(typ), from, from+int64(n)-1))
}

// SeekType is the offset, in the index of a type, of the first event behind a position.
func (l *Events) SeekType(ctx context.Context, typ, position string) (int64, error) {
	v, err := l.s.eval(ctx, seekEventScript, []string{l.Type(typ)}, position)
	return integer(v), err
}

// TypeNames are the types of event that the log has, in no order.
func (l *Events) TypeNames(ctx context.Context) ([]string, error) {
	return ask(ctx, l.s, redis.NewStringSliceCmd(ctx, "SMEMBERS", l.Types))
}

func (l *Events) indexed(ctx context.Context, index string, from int64, n int) ([]Entry, error) {
	ids, err := ask(ctx, l.s, redis.NewStringSliceCmd(ctx, "LRANGE", index, from, from+int64(n)-1))
	if err != nil {
		return nil, err
	}
	return l.Fetch(ctx, ids)
}

// Fetch reads events by their entries. Where one is missing, those before it come
// with a *MissingError.
func (l *Events) Fetch(ctx context.Context, ids []string) ([]Entry, error) {
	cmds := make([]redis.Cmder, len(ids))
	for i, id := range ids {
		cmds[i] = redis.NewRawCmd(ctx, "XRANGE", l.Log, id, id)
	}
	if err := l.s.pipe.doAll(ctx, cmds); err != nil {
		return nil, classify(err)
	}
	out := make([]Entry, 0, len(ids))
	for i, cmd := range cmds {
		raw, err := cmd.(*redis.RawCmd).Result()
		if err != nil {
			return out, classify(err)
		}
		r := resp{b: raw}
		err = r.entries(func(id []byte, fields [][]byte) error {
			out = append(out, newEntry(string(id), fields))
			return nil
		})
		switch {
		case err != nil:
			return out, classify(err)
		case len(out) == i:
			return out, &MissingError{ids[i]}
		}
	}
	return out, nil
}

// After returns up to n events behind a position, "" for the beginning. A position at
// which there is no event is ErrNoPosition: what was behind it may be gone as well.
func (l *Events) After(ctx context.Context, position string, n int) ([]Entry, error) {
	if position == "" {
		return l.s.rangeBetween(ctx, l.Log, "-", "+", n)
	}
	found, err := l.s.rangeBetween(ctx, l.Log, position, "+", n+1)
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0 || found[0].Entry != position:
		return nil, ErrNoPosition
	}
	return found[1:], nil
}

// Ends are the first and the last position of the log, "" for those of an empty one,
// and the number of its events.
func (l *Events) Ends(ctx context.Context) (first, last string, n int64, err error) {
	length := redis.NewIntCmd(ctx, "XLEN", l.Log)
	head := redis.NewXMessageSliceCmd(ctx, "XRANGE", l.Log, "-", "+", "COUNT", 1)
	tail := redis.NewXMessageSliceCmd(ctx, "XREVRANGE", l.Log, "+", "-", "COUNT", 1)
	if err := l.s.pipe.doAll(ctx, []redis.Cmder{length, head, tail}); err != nil {
		return "", "", 0, classify(err)
	}
	for _, cmd := range []redis.Cmder{length, head, tail} {
		if err := cmd.Err(); err != nil {
			return "", "", 0, classify(err)
		}
	}
	for _, m := range head.Val() {
		first = m.ID
	}
	for _, m := range tail.Val() {
		last = m.ID
	}
	return first, last, length.Val(), nil
}
