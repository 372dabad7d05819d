package store

import (
	"context"
	"fmt"
	"slices"

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

// TopicName is the name of the topic that the queue belongs to.
func (q *Queue) TopicName() string {
	topic, _, _ := cutGroup(q.Name)
	keys, _ := q.s.keys.Topic(topic) // it has been one before
	return keys.Name
}

// Subscribe makes the group, to begin with what comes after the entry start ("$": the
// last one), with a filter if there are patterns, and reports whether it was not there:
// one that is there stays as it is. Safe to repeat.
func (q *Queue) Subscribe(ctx context.Context, start string, patterns []string) (made bool, err error) {
	cmd := subscribeScript.cmd(ctx, []string{q.Topic, q.topicMeta(), q.Meta}, q.Member, start, Pack(patterns...))
	list := redis.NewIntCmd(ctx, "SADD", q.s.keys.Topics(), q.TopicName())
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

// Seek moves the group to what comes after the entry start ("$": the last one). It
// returns a *NoGroupError when there is no such group. Safe to repeat.
func (q *Queue) Seek(ctx context.Context, start string) error {
	reply, err := q.s.list(ctx, seekScript, []string{q.Topic, q.topicMeta(), q.Workers, q.Meta},
		q.Member, start, q.Notices(), q.Name)
	if err != nil {
		return err
	}
	if what, _ := reply[0].(string); what == "nogroup" {
		return &NoGroupError{Groups: texts(reply[1:])}
	}
	return positionError(reply)
}

// NoGroupError says that a topic has no such group, but others.
type NoGroupError struct{ Groups []string }

func (e *NoGroupError) Error() string { return fmt.Sprintf("no such group: there are %q", e.Groups) }

// Delete deletes the topic, unless it has groups, or messages and force is not set.
func (t *Topic) Delete(ctx context.Context, force bool) (left int64, groups []string, err error) {
	flag := "0"
	if force {
		flag = "1"
	}
	reply, err := t.s.list(ctx, deleteTopicScript, []string{t.Stream, t.Meta}, flag)
	if err != nil {
		return 0, nil, err
	}
	if integer(reply[0]) < 0 {
		return 0, nil, ErrEventLog
	}
	if left, groups = integer(reply[0]), texts(reply[1:]); left > 0 || len(groups) > 0 {
		return left, groups, nil
	}
	if _, err := t.s.count(ctx, "SREM", t.s.keys.Topics(), t.Name); err != nil {
		return 0, nil, err
	}
	t.Sends.listed.Store(0)
	return 0, nil, nil
}

func texts(list []any) (out []string) {
	for _, v := range list {
		s, _ := v.(string)
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

// DeleteGroup deletes a group that nothing but the topic knows of.
func (t *Topic) DeleteGroup(ctx context.Context, name string) error {
	_, err := t.s.count(ctx, "XGROUP", "DESTROY", t.Stream, name)
	return err
}
