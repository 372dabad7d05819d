package store

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Topic is the handle of one topic. It is safe for concurrent use.
type Topic struct {
	TopicKeys
	s *Store
	// Sends publishes: sends through it add to the topic. Nothing else may be done
	// with it.
	Sends *Queue
}

// Topic returns the handle of the topic called name.
func (s *Store) Topic(name string) (*Topic, error) {
	keys, err := s.keys.Topic(name)
	if err != nil {
		return nil, err
	}
	sends := newQueue(s, queueKeys(keys.Name, keys.Tag, keys.Stream))
	sends.topic = true
	return &Topic{TopicKeys: keys, s: s, Sends: sends}, nil
}

// Group returns the handle of what is a group's own.
func (t *Topic) Group(name string) (*Queue, error) {
	keys, err := t.s.keys.Group(t.Name, name)
	if err != nil {
		return nil, err
	}
	return newQueue(t.s, keys), nil
}

// OfTopic returns the handle of a group's queue that reads and settles what stands in
// the topic.
func (q *Queue) OfTopic() *Queue {
	keys := q.QueueKeys
	keys.Stream, keys.Group = keys.Topic, keys.Member
	return newQueue(q.s, keys)
}

// isTopic reports whether the handle reads a topic.
func (q *Queue) isTopic() bool { return q.Group != group }

// topicMeta is the meta hash of the topic that the queue belongs to.
func (q *Queue) topicMeta() string { return q.Topic + ":meta" }

// topicName is the name of the topic that the queue belongs to.
func (q *Queue) topicName() string {
	topic, _, _ := cutGroup(q.Name)
	keys, _ := q.s.keys.Topic(topic) // it has been one before
	return keys.Name
}

// Subscribe makes the group, to begin with what comes after the entry start ("$": the
// last one), with a filter if there are patterns, and reports whether it was not there:
// one that is there stays as it is. Safe to repeat.
func (q *Queue) Subscribe(ctx context.Context, start string, patterns []string) (made bool, err error) {
	cmd := subscribeScript.cmd(ctx, []string{q.Topic, q.topicMeta(), q.Meta}, q.Member, start, Pack(patterns...))
	list := redis.NewIntCmd(ctx, "SADD", q.s.keys.Topics(), q.topicName())
	if err := q.s.pipe.doAll(ctx, []redis.Cmder{cmd, list}); err != nil {
		return false, classify(err)
	}
	reply, err := cmd.Slice()
	if err != nil {
		return false, classify(err)
	}
	if err := positionError(reply); err != nil {
		return false, err
	}
	return integer(reply[0]) == 1, nil
}

// PositionError says that a topic does not have what a position means.
type PositionError struct {
	Gone        bool   // it had, and it was trimmed; else it is ahead of it
	First, Last string // of what there is; "" when there is nothing
}

func (e *PositionError) Error() string {
	what := "is ahead of the topic"
	if e.Gone {
		what = "is not retained"
	}
	return fmt.Sprintf("position %s: there is %q to %q", what, e.First, e.Last)
}

// positionError reads what scripts return instead of what was asked for.
func positionError(reply []any) error {
	what, _ := reply[0].(string)
	if what != "gone" && what != "ahead" || len(reply) != 3 {
		return nil
	}
	first, _ := reply[1].(string)
	last, _ := reply[2].(string)
	return &PositionError{Gone: what == "gone", First: first, Last: last}
}

// TopicNames returns the names of all topics, sorted.
func (s *Store) TopicNames(ctx context.Context) ([]string, error) {
	return s.names(ctx, s.keys.Topics())
}
