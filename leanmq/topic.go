package leanmq

import (
	"context"

	"github.com/leanmq/leanmq/internal/store"
)

// Topic is the handle of a topic: a stream of messages that stay after they were
// handled, for any number of groups. Each [Group] gets every message once; its
// consumers compete for them like those of a queue. The handle costs nothing until
// it is used; the topic comes to be with its first message or group.
type Topic struct {
	c    *Client
	name string
	st   *store.Topic
	q    *Queue // publishes
	err  error  // of the name: every use returns it
}

// Topic returns the handle of the topic called name: "name", or "service:name" for
// topics and queues whose keys share one hash tag. The rules for names are those of
// [Client.Queue]; a topic and a queue of the same name have nothing in common.
func (c *Client) Topic(name string) *Topic {
	t := &Topic{c: c, name: name, q: &Queue{c: c, name: name, topic: true, maxPayload: MaxPayload}}
	t.st, t.err = c.s.Topic(name)
	if t.q.err = t.err; t.err != nil {
		return t
	}
	t.name, t.q.name, t.q.sq = t.st.Name, t.st.Name, t.st.Sends
	t.q.plain = c.sealer == nil && c.sending == nil
	return t
}

// Name returns the topic's name.
func (t *Topic) Name() string { return t.name }

func (t *Topic) wrap(op string, err error) error { return wrap(op, t.name, "", err) }

// Publish adds a message to the topic and returns its id. It is one write, however
// many groups there are, and what surrounds sends (middleware, hooks, compression,
// encryption) surrounds it. Its errors are those of [Queue.Send].
//
// Options: [Type] names the kind of event. [ID], [Dedupe], [WithHeader], [Headers],
// [Target], [RetryWith], [WithCodec] and [Replicas] mean what they do for queues. [TTL],
// [KeepResult] and [OrderingKey] do so for each group on its own. The others are for
// what one queue does with a message, and refused with [ErrInvalid].
func (t *Topic) Publish(ctx context.Context, payload []byte, opts ...SendOption) (id string, err error) {
	return t.q.Send(ctx, payload, opts...)
}

// PublishValue is [Topic.Publish] for values, as [Queue.SendValue] is for queues.
func (t *Topic) PublishValue(ctx context.Context, v any, opts ...SendOption) (id string, err error) {
	return t.q.SendValue(ctx, v, opts...)
}

// PublishMany adds messages in one round trip, in this order, as [Queue.SendMany]
// does.
func (t *Topic) PublishMany(ctx context.Context, payloads [][]byte, opts ...SendOption) (ids []string, err error) {
	return t.q.SendMany(ctx, payloads, opts...)
}

// sendConfig applies the options, and checks those of a topic's.
func (q *Queue) sendConfig(opts []SendOption) (sendConfig, error) {
	c, err := newSendConfig(opts)
	if err != nil || !q.topic {
		return c, err
	}
	const groups = "is not for topics: "
	switch {
	case c.terms.Delay > 0 || !c.terms.Due.IsZero():
		err = invalid("Delay", groups+"publish when it is time, or send the message to a queue first whose handler publishes it")
	case c.level != 0:
		err = invalid("Priority", groups+"its groups read in the order of publishing. Use several topics")
	case c.unique != "" || c.digest:
		err = invalid("Unique", groups+"there is no one end of the message that would free the key. Use ID and Dedupe")
	case c.terms.Unique > 0:
		err = invalid("UniqueFor", groups+"use ID and Dedupe")
	}
	c.terms.Token, c.terms.Scripted = "", false // the groups keep the order
	return c, err
}
