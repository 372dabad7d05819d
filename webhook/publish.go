package webhook

import (
	"context"
	"fmt"
	"sync"

	"github.com/leanmq/leanmq/leanmq"
)

// Publish publishes an event to all who subscribe to its path (see [Subscribe]), and
// returns its id. The last segment of the path is the event's type, words with dots between
// them; what comes before it names the topic (see [TopicOf]): "/events/order.created" is an
// event "order.created" of the topic "events". A path has no method and no query.
//
// v is encoded as [Sender.Send] does. Nobody needs to have subscribed: the event is kept,
// and whoever subscribes later begins with the first one that is retained, unless it says
// otherwise. It is one write, however many subscribe. Options are those of
// leanmq.Topic.Publish.
func (s *Sender) Publish(ctx context.Context, path string, v any, opts ...leanmq.SendOption) (id string, err error) {
	p, err := parseEventPath(path, false)
	if err != nil {
		return "", fmt.Errorf("webhook: publish to %q: %w", path, invalidPath(err))
	}
	body, err := EncodeBody(v)
	if err != nil {
		return "", fmt.Errorf("webhook: publish to %q: %w", path, err)
	}
	opts = append(opts[:len(opts):len(opts)], leanmq.Type(p.typeName()))
	return topicOf(s.mq, p.topicName()).Publish(ctx, body, opts...)
}

// TopicOf returns the topic of the events at a path, or at a pattern of paths: what leanmq
// knows them by. Its name is the path without its last segment and its first slash, with
// unusual bytes escaped: that of "/shop/events/order.paid" is "shop/events".
func TopicOf(mq *leanmq.Client, path string) (*leanmq.Topic, error) {
	p, err := parseEventPath(path, true)
	if err != nil {
		return nil, fmt.Errorf("webhook: topic of %q: %w", path, invalidPath(err))
	}
	return topicOf(mq, p.topicName()), nil
}

func invalidPath(err error) error {
	bad := err.(*PatternError) //nolint:errorlint,forcetypeassert // parseEventPath returns no other
	return &leanmq.InvalidError{Field: "path", Rule: fmt.Sprintf("is malformed at offset %d: %s", bad.Offset, bad.Reason)}
}

type topicsKey struct{}

// topicOf returns the handle that all users of a client share: it remembers that the topic
// is listed.
func topicOf(mq *leanmq.Client, name string) *leanmq.Topic {
	all := mq.Shared(topicsKey{}, func() any { return new(sync.Map) }).(*sync.Map)
	if t, ok := all.Load(name); ok {
		return t.(*leanmq.Topic)
	}
	t, _ := all.LoadOrStore(name, mq.Topic(name))
	return t.(*leanmq.Topic)
}
