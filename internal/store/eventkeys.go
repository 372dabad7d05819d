package store

import "fmt"

// EventKeys are the keys of one event store. Its events are the messages of a topic:
// the log. The others stand beside it, in the same slot. What a caller names comes
// last in a key, so that no two names share one.
type EventKeys struct {
	TopicKeys
	Log         string // stream of all events: the topic's
	Types       string // set of the types of event there are
	Projections string // set of the names of projections
}

// Events returns the keys of the event store on the topic called name.
func (k Keys) Events(name string) (EventKeys, error) {
	t, err := k.Topic(name)
	return EventKeys{
		TopicKeys:   t,
		Log:         t.Stream,
		Types:       t.Stream + ":events:types",
		Projections: t.Stream + ":events:projections",
	}, err
}

// Aggregate is the list of the log's entries that are an aggregate's events.
func (k EventKeys) Aggregate(id string) string { return k.Log + ":events:aggregate:" + id }

// Type is the list of the log's entries that are events of a type.
func (k EventKeys) Type(t string) string { return k.Log + ":events:type:" + t }

// Append is the key that remembers an append by its id, which is one of its
// aggregate's.
func (k EventKeys) Append(aggregate, id string) string {
	return fmt.Sprintf("%s:events:append:%d:%s:%s", k.Log, len(aggregate), aggregate, id)
}

// Snapshot is the hash that holds an aggregate's snapshot.
func (k EventKeys) Snapshot(id string) string { return k.Log + ":events:snapshot:" + id }

// Projection is the hash that holds who runs a projection, and how far it is.
func (k EventKeys) Projection(name string) string { return k.Log + ":events:projection:" + name }
