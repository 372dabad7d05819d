package store

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Snapshot is an aggregate's state at a version. Without one the version is 0.
type Snapshot struct {
	Version int64
	Entry
}

// SaveSnapshot saves a snapshot if the one there is has a lower version. It returns the
// version of the aggregate if that is lower than the snapshot's, else -1.
func (l *Events) SaveSnapshot(ctx context.Context, aggregate string, version int64, state *Envelope) (short int64, err error) {
	reply, err := l.s.list(ctx, saveSnapshotScript, []string{l.Snapshot(aggregate), l.Aggregate(aggregate)},
		version, packFields(state.appendFields(nil)))
	if err != nil {
		return -1, err
	}
	if integer(reply[0]) >= 0 {
		return -1, nil
	}
	if len(reply) != 2 {
		return -1, fmt.Errorf("%w: %v", errProtocol, reply)
	}
	return integer(reply[1]), nil
}

// LoadSnapshot returns the aggregate's snapshot.
func (l *Events) LoadSnapshot(ctx context.Context, aggregate string) (Snapshot, error) {
	v, err := ask(ctx, l.s, redis.NewSliceCmd(ctx, "HMGET", l.Snapshot(aggregate), "version", "state"))
	if err != nil || v[0] == nil {
		return Snapshot{}, err
	}
	state, _ := v[1].(string)
	fields, err := UnpackFields(state)
	if err != nil {
		return Snapshot{}, err
	}
	return Snapshot{Version: integer(v[0]), Entry: newEntry("", fields)}, nil
}

// DropSnapshot deletes the aggregate's snapshot.
func (l *Events) DropSnapshot(ctx context.Context, aggregate string) error {
	_, err := l.s.count(ctx, "DEL", l.Snapshot(aggregate))
	return err
}
