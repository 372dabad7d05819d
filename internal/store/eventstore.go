package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Events is the handle of an event store. It is safe for concurrent use.
type Events struct {
	EventKeys
	s     *Store
	topic *Topic
}

// Events returns the handle of the event store on the topic called name.
func (s *Store) Events(name string) (*Events, error) {
	topic, err := s.Topic(name)
	if err != nil {
		return nil, err
	}
	keys, err := s.keys.Events(name)
	return &Events{EventKeys: keys, s: s, topic: topic}, err
}

// Headers of an event, by which those who read the topic know whose it is.
const (
	HeaderAggregate = ":aggregate"
	HeaderVersion   = ":version"
)

// AnyVersion is what an append expects that takes every version.
const AnyVersion = -1

// ErrRetention refuses an append to a topic that has a retention.
var ErrRetention = errors.New("the topic has a retention")

// Append is what is to be appended to an aggregate.
type Append struct {
	Aggregate string
	Expected  int64         // its version, or AnyVersion
	ID        string        // of this append, unique within the aggregate
	Window    time.Duration // for which that is remembered
	Events    []Envelope    // with Type, Payload and Header
}

// Appended is what came of it.
type Appended struct {
	Conflict bool     // nothing was appended
	Version  int64    // of the aggregate, now, or after the first append with this ID
	Entries  []string // of the events
	Repeated bool     // an append with this ID was made before
}

// Append appends events if the aggregate has the expected version. Safe to repeat
// within the window.
func (l *Events) Append(ctx context.Context, a *Append) (Appended, error) {
	keys := []string{l.Log, l.Aggregate(a.Aggregate), l.EventKeys.Append(a.Aggregate, a.ID), l.Types, l.Meta}
	args := []any{a.Expected, max(a.Window.Milliseconds(), 1), len(a.Events)}
	index := map[string]int{}
	for i := range a.Events {
		e := &a.Events[i]
		if index[e.Type] == 0 {
			keys = append(keys, l.Type(e.Type))
			index[e.Type] = len(keys)
		}
		args = append(args, index[e.Type], 8+len(e.Header))
		args = append(args, fieldPayload, e.Payload, "v", e.Type, HeaderAggregate, a.Aggregate, HeaderVersion, "")
		for _, h := range e.Header {
			args = append(args, h)
		}
	}
	cmd := appendEventsScript.cmd(ctx, keys, args...)
	batch := []redis.Cmder{cmd}
	if list := l.topic.Sends.relist(ctx); list != nil {
		batch = append(batch, list)
	}
	if err := l.s.pipe.doAll(ctx, batch); err != nil {
		return Appended{}, classify(err)
	}
	reply, err := cmd.Slice()
	if err != nil {
		return Appended{}, classify(err)
	}
	if len(reply) < 2 {
		return Appended{}, fmt.Errorf("%w: %v", errProtocol, reply)
	}
	if reply[0] == "retention" {
		return Appended{}, ErrRetention
	}
	out := Appended{Conflict: reply[0] == "conflict", Repeated: reply[0] == "dup", Version: integer(reply[1])}
	for _, id := range reply[2:] {
		s, _ := id.(string)
		out.Entries = append(out.Entries, s)
	}
	return out, nil
}

// Version is how many events an aggregate has.
func (l *Events) Version(ctx context.Context, aggregate string) (int64, error) {
	return l.s.count(ctx, "LLEN", l.Aggregate(aggregate))
}
