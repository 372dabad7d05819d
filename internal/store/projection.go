package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// Lead is the right to run a projection.
type Lead struct {
	Owner    string // unique to a run
	Epoch    int64  // higher than those of all owners before
	Position string // of the last event that was handled, "" for none
	Handled  int64  // events until there
}

// LeadProjection tries to get the right to run a projection for a time. Without it
// lead is nil, and left is how long the other one's lasts.
func (l *Events) LeadProjection(ctx context.Context, name, owner string, lease time.Duration) (lead *Lead, left time.Duration, err error) {
	reply, err := l.s.list(ctx, leadProjectionScript, []string{l.Projection(name), l.Projections}, owner, ceilMs(lease), name)
	switch {
	case err != nil:
		return nil, 0, err
	case len(reply) == 2 && integer(reply[0]) == 0:
		return nil, time.Duration(integer(reply[1])) * time.Millisecond, nil
	case len(reply) != 4:
		return nil, 0, fmt.Errorf("%w: %v", errProtocol, reply)
	}
	position, _ := reply[2].(string)
	return &Lead{Owner: owner, Epoch: integer(reply[1]), Position: position, Handled: integer(reply[3])}, 0, nil
}

// HoldProjection renews the right, or with a lease of 0 gives it up, and notes fields of
// the status. It reports whether the right was still there.
func (l *Events) HoldProjection(ctx context.Context, name string, lead *Lead, lease time.Duration, note ...any) (bool, error) {
	args := append([]any{lead.Owner, lead.Epoch, ceilMs(lease)}, note...)
	v, err := l.s.eval(ctx, holdProjectionScript, []string{l.Projection(name)}, args...)
	return integer(v) == 1, err
}

// RefusedError says that Redis refused a command of a commit. Those before it have been
// executed.
type RefusedError struct {
	Index  int
	Reason string
}

func (e *RefusedError) Error() string { return fmt.Sprintf("command %d: %s", e.Index, e.Reason) }

// ProjectionCommand is one that a projection commits: its name, its key and the rest.
type ProjectionCommand struct {
	Key  string
	Args []any // all of it
}

// CommitProjection moves the projection to a position, together with commands, if it has
// still the right to. lead is brought up to date. Safe to repeat.
func (l *Events) CommitProjection(ctx context.Context, name string, lead *Lead, lease time.Duration, position string, handled int64, cmds []ProjectionCommand) (bool, error) {
	keys := []string{l.Projection(name)}
	args := []any{lead.Owner, lead.Epoch, ceilMs(lease), lead.Position, position, handled}
	for _, c := range cmds {
		if !slices.Contains(keys, c.Key) {
			keys = append(keys, c.Key)
		}
		args = append(append(args, len(c.Args)), c.Args...)
	}
	reply, err := l.s.list(ctx, commitProjectionScript, keys, args...)
	switch {
	case err != nil:
		return false, err
	case integer(reply[0]) == 1:
		lead.Position, lead.Handled = position, handled
		return true, nil
	case len(reply) == 3:
		reason, _ := reply[2].(string)
		return true, &RefusedError{Index: int(integer(reply[1])) - 1, Reason: reason}
	}
	return false, nil
}

// ResetProjection lets a projection begin anew. It reports whether there is one.
func (l *Events) ResetProjection(ctx context.Context, name string) (bool, error) {
	v, err := l.s.eval(ctx, resetProjectionScript, []string{l.Projection(name)})
	return integer(v) == 1, err
}

// DeleteProjection forgets a projection. It reports whether there was one.
func (l *Events) DeleteProjection(ctx context.Context, name string) (bool, error) {
	del := redis.NewIntCmd(ctx, "DEL", l.Projection(name))
	rem := redis.NewIntCmd(ctx, "SREM", l.Projections, name)
	if err := l.s.pipe.doAll(ctx, []redis.Cmder{del, rem}); err != nil {
		return false, classify(err)
	}
	if err := rem.Err(); err != nil {
		return false, classify(err)
	}
	return del.Val() > 0, classify(del.Err())
}

// ProjectionNames are the names of the projections, sorted.
func (l *Events) ProjectionNames(ctx context.Context) ([]string, error) {
	return l.s.names(ctx, l.Projections)
}

// ProjectionState is what Redis holds of a projection.
type ProjectionState struct {
	Fields map[string]string
	Events int64 // in the log
	Now    time.Time
}

// ProjectionState reads the state of a projection. Without one it has no fields.
func (l *Events) ProjectionState(ctx context.Context, name string) (ProjectionState, error) {
	fields := redis.NewMapStringStringCmd(ctx, "HGETALL", l.Projection(name))
	events := redis.NewIntCmd(ctx, "XLEN", l.Log)
	now := redis.NewTimeCmd(ctx, "TIME")
	cmds := []redis.Cmder{fields, events, now}
	if err := l.s.pipe.doAll(ctx, cmds); err != nil {
		return ProjectionState{}, classify(err)
	}
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil {
			return ProjectionState{}, classify(err)
		}
	}
	return ProjectionState{Fields: fields.Val(), Events: events.Val(), Now: now.Val()}, nil
}

// AwaitEvent returns when there is an event behind a position ("" for the beginning), or
// after a while.
func (r *Reader) AwaitEvent(ctx context.Context, l *Events, position string) error {
	if position == "" {
		position = "0-0"
	}
	r.busy.Store(true)
	defer r.busy.Store(false)
	_, err := r.run(ctx, l.Log, []any{
		"XREAD", "COUNT", 1, "BLOCK", r.block(maxBlock).Milliseconds(), "STREAMS", l.Log, position,
	})
	return classify(err)
}
