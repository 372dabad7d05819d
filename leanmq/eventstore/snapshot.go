package eventstore

import (
	"context"
	"fmt"
)

// SaveSnapshot saves the state that an aggregate had at a version, so that it can be
// rebuilt without the events until then. It is encoded as events are. One that is not
// newer than the saved one changes nothing. A version that the aggregate does not have is
// leanmq.ErrInvalid.
//
// A snapshot is a shortcut, and never needed: see [Store.DropSnapshot].
func (s *Store) SaveSnapshot(ctx context.Context, aggregate string, version int64, state any) error {
	return s.wrap("save snapshot of", aggregate, s.saveSnapshot(ctx, aggregate, version, state))
}

func (s *Store) saveSnapshot(ctx context.Context, aggregate string, version int64, state any) error {
	if err := s.check(aggregate); err != nil {
		return err
	}
	if version < 1 {
		return invalid("version", "is %d: want 1 or more", version)
	}
	e, err := s.mq.Encode(state)
	if err != nil {
		return err
	}
	short, err := s.log.SaveSnapshot(ctx, aggregate, version, &e)
	if err == nil && short >= 0 {
		err = invalid("version", "is %d: the aggregate has %d", version, short)
	}
	return err
}

// LoadSnapshot decodes an aggregate's newest snapshot into what state points to and
// returns its version. Without one it is 0, and state is left as it is.
func (s *Store) LoadSnapshot(ctx context.Context, aggregate string, state any) (version int64, err error) {
	if err := s.check(aggregate); err != nil {
		return 0, s.wrap("load snapshot of", aggregate, err)
	}
	snap, err := s.log.LoadSnapshot(ctx, aggregate)
	if err == nil && snap.Version > 0 {
		err = s.mq.Stored(s.name, &snap.Entry).Decode(state)
	}
	if err != nil {
		return 0, s.wrap("load snapshot of", aggregate, err)
	}
	return snap.Version, nil
}

// DropSnapshot deletes an aggregate's snapshot, such as one of a state that the program
// has no use for any more. Without one it does nothing.
func (s *Store) DropSnapshot(ctx context.Context, aggregate string) error {
	err := s.check(aggregate)
	if err == nil {
		err = s.log.DropSnapshot(ctx, aggregate)
	}
	return s.wrap("drop snapshot of", aggregate, err)
}

// Load rebuilds an aggregate's state: it begins with the newest snapshot, or the zero S,
// and applies the events behind it one by one. version is that of the last one, or 0. An
// error of apply is returned, with the position of the event.
func Load[S any](ctx context.Context, s *Store, aggregate string, apply func(state *S, ev *Event) error) (state S, version int64, err error) {
	version, err = s.LoadSnapshot(ctx, aggregate, &state)
	if err != nil {
		return state, version, err
	}
	for ev, err := range s.Read(ctx, aggregate, version) {
		if err != nil {
			return state, version, err
		}
		if err := apply(&state, ev); err != nil {
			return state, version, s.wrap("load", aggregate, fmt.Errorf("event %s: %w", ev.Position, err))
		}
		version = ev.Version
	}
	return state, version, nil
}
