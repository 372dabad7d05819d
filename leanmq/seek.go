package leanmq

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/leanmq/leanmq/internal/store"
)

// UnknownGroupError says that a topic has no such group, and which it has. errors.Is
// finds [ErrNotFound] in it.
type UnknownGroupError struct {
	Topic, Group string
	Groups       []string // that are there
}

func (e *UnknownGroupError) Error() string {
	there := "it has none"
	if len(e.Groups) > 0 {
		there = "it has " + strings.Join(e.Groups, ", ")
	}
	return fmt.Sprintf("topic %q has no group %q: %s", e.Topic, e.Group, there)
}

// Is makes errors.Is(err, ErrNotFound) true.
func (e *UnknownGroupError) Is(target error) bool { return target == ErrNotFound }

func (g *Group) unknown(there []string) error {
	return &UnknownGroupError{Topic: g.t.name, Group: g.name, Groups: there}
}

// Seek moves the group to another position: back, so that it gets again what it had, or
// forward past what it has not read. Consumers go on from there at once.
//
// Messages behind the position that are in flight come again as well; the workers that
// have them lose their leases. Messages in front of it that are in flight, and what
// became the group's own before (retries, what waits for its ordering key, dead
// letters), stay: [Group.Queue] has what removes it.
//
// It fails with an *[UnknownGroupError] or a *[PositionError], which say what there is.
// FromBeginning means what is retained. It is safe to repeat.
func (g *Group) Seek(ctx context.Context, p Position) error {
	err := g.q.err
	if err == nil {
		err = p.err
	}
	if err == nil {
		err = p.positionError(g.q.sq.Seek(ctx, p.start()))
	}
	var none *store.NoGroupError
	if errors.As(err, &none) {
		err = g.unknown(none.Groups)
	}
	return g.q.wrap("seek", "", err)
}

// Delete deletes the group with all its settings, so that nothing is retained for it
// any more. If messages are its own (retries, dead letters) or in flight, it is left
// alone and the result is [ErrNotEmpty]. Stop its consumers first: they would make it
// again, at the beginning. A group that does not exist is an *[UnknownGroupError].
func (g *Group) Delete(ctx context.Context) error { return g.delete(ctx, false) }

// ForceDelete deletes the group and all messages that are its own.
func (g *Group) ForceDelete(ctx context.Context) error { return g.delete(ctx, true) }

func (g *Group) delete(ctx context.Context, force bool) error {
	if _, err := g.Info(ctx); err != nil {
		return g.q.wrap("delete group", "", errors.Unwrap(err))
	}
	return g.q.delete(ctx, force)
}

// Delete deletes the topic. One that holds messages or has groups is left alone and the
// result is [ErrNotEmpty].
func (t *Topic) Delete(ctx context.Context) error { return t.delete(ctx, false) }

// ForceDelete deletes the topic, its messages, and its groups with all that is their
// own. Stop their consumers first.
func (t *Topic) ForceDelete(ctx context.Context) error { return t.delete(ctx, true) }

func (t *Topic) delete(ctx context.Context, force bool) error {
	if t.err != nil {
		return t.wrap("delete", t.err)
	}
	for {
		left, groups, err := t.st.Delete(ctx, force)
		switch {
		case err != nil || left == 0 && len(groups) == 0:
			return t.wrap("delete", err)
		case !force && len(groups) > 0:
			return t.wrap("delete", fmt.Errorf("%w: it has the groups %s", ErrNotEmpty, strings.Join(groups, ", ")))
		case !force:
			return t.wrap("delete", fmt.Errorf("%w: it holds %d", ErrNotEmpty, left))
		}
		for _, name := range groups {
			if err := t.deleteGroup(ctx, name); err != nil {
				return err
			}
		}
	}
}

func (t *Topic) deleteGroup(ctx context.Context, name string) error {
	g := t.Group(name)
	if g.q.err != nil { // made by hand, and there is nothing else of it
		return t.wrap("delete", t.st.DeleteGroup(ctx, name))
	}
	return g.q.delete(ctx, true)
}
