package leanmq

import (
	"context"
)

// Group is the handle of one of a topic's groups. What is the group's own is a queue
// ([Group.Queue]): its retries, what waits for its ordering keys, its dead letters,
// settings, counters and limits. Nothing that happens to a message in one group
// touches another one.
type Group struct {
	t    *Topic
	name string
	q    *Queue
}

// Group returns the handle of the group called name, which has 1 to 200 bytes by the
// rules for names of queues. The group comes to be with its first consumer, or by
// [Group.Create].
func (t *Topic) Group(name string) *Group {
	g := &Group{t: t, name: name, q: &Queue{c: t.c, name: t.name + ":" + name, err: t.err, maxPayload: MaxPayload}}
	if t.err != nil {
		return g
	}
	if g.q.sq, g.q.err = t.st.Group(name); g.q.err == nil {
		g.q.name = g.q.sq.Name
		g.q.plain = t.q.plain
	}
	return g
}

// Name returns the group's name within its topic.
func (g *Group) Name() string { return g.name }

// Queue returns the queue of what is the group's own, called "service:topic:group":
// [Client.Queue] returns it by that name, too. Consumers, pullers and batches of it are
// those of the group. What is sent to it reaches this group only; what is counted and
// shown as ready and in flight includes what the topic has for the group.
func (g *Group) Queue() *Queue { return g.q }

// Consume hands the group's messages to h until ctx ends, as [Queue.Consume] does. If
// there is no such group it makes it, to begin at [StartAt]. A message that failed
// waits among those of the group's own ([Group.Queue]) for its next attempt; retries
// and new messages take turns.
//
// After Redis has lost its data the group is made again, at the beginning.
func (g *Group) Consume(ctx context.Context, h Handler, opts ...ConsumeOption) error {
	return g.q.Consume(ctx, h, opts...)
}

// Create makes the group, to begin at p, with patterns as its [Types], unless there is
// one: it is left as it is, and made reports false.
func (g *Group) Create(ctx context.Context, p Position, patterns ...string) (made bool, err error) {
	types, err := filterOf(patterns)
	switch {
	case g.q.err != nil:
		err = g.q.err
	case err == nil && p.err != nil:
		err = p.err
	}
	if err != nil {
		return false, g.q.wrap("create group", "", err)
	}
	made, err = g.q.sq.Subscribe(ctx, p.start(), types)
	return made, g.q.wrap("create group", "", p.positionError(err))
}

// StartAt sets where a topic's group begins if the consumer is its first one. A group
// that is there goes on where it is: see [Group.Seek]. Default [FromBeginning], so that
// nothing is passed over that was published before. With a position that is not
// retained, or not there yet, consuming fails with a *[PositionError].
func StartAt(p Position) ConsumeOption {
	return func(c *consumeConfig) {
		if p.err != nil {
			c.fail(p.err)
		}
		c.start = &p
	}
}

// groupConfig checks the options that are for groups of topics. What is a group's own
// and what is new take turns.
func (q *Queue) groupConfig(c *consumeConfig) error {
	switch {
	case q.sq.Topic != "" && c.weights == [slots]int{}:
		Weights(nil)(c)
		return nil
	case q.sq.Topic != "":
		return nil
	case c.start != nil:
		return invalid("StartAt", "is for groups of topics: %q is a queue", q.name)
	case c.types != nil:
		return invalid("Types", "is for groups of topics: %q is a queue", q.name)
	}
	return nil
}

// subscribe makes the group that the queue belongs to, if there is one to make.
func (q *Queue) subscribe(ctx context.Context, c *consumeConfig) error {
	if q.sq.Topic == "" {
		return nil
	}
	var p Position
	if c.start != nil {
		p = *c.start
	}
	_, err := q.sq.Subscribe(ctx, p.start(), nil)
	return p.positionError(err)
}

// setTypes sets the group's filter, if the consumer has one.
func (q *Queue) setTypes(ctx context.Context, c *consumeConfig) error {
	if c.types == nil {
		return nil
	}
	return q.sq.SetTypes(ctx, *c.types)
}

// sources returns the streams that every consumer of the queue reads: its own, and the
// topic if it is a group's.
func (q *Queue) sources(p *pool) []*source {
	own := []*source{{p: p, q: q.sq}}
	if q.sq.Topic == "" {
		return own
	}
	return append(own, &source{p: p, q: q.sq.OfTopic(), level: published})
}
