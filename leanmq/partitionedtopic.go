package leanmq

import "context"

// PartitionedTopic is the handle of a topic that is spread over several partitions,
// as a [PartitionedQueue] is of a queue. Each partition is a [Topic] of its own, with
// its own stream, retention and positions; a group reads all of them, and its
// consumers share them out.
//
// Where a message goes is as in a PartitionedQueue, so that those with one
// [OrderingKey] are in one partition, and in order for each group. Among those of
// different partitions there is no order.
type PartitionedTopic struct {
	c     *Client
	n     int
	q     *PartitionedQueue // publishes
	parts []*Topic
}

// PartitionedTopic returns the handle of a topic with n partitions, 1 to 1024. The
// number is fixed by the first use, as that of [Client.Partitioned]; so are the
// bounds of the name.
func (c *Client) PartitionedTopic(name string, n int) *PartitionedTopic {
	t := &PartitionedTopic{c: c, n: n, q: &PartitionedQueue{c: c, name: name}}
	set, err := c.s.TopicPartitions(name)
	t.q.open(set, err, n, func(part string) *Queue {
		topic := c.Topic(part)
		t.parts = append(t.parts, topic)
		return topic.q
	})
	return t
}

// Name returns the topic's full name.
func (t *PartitionedTopic) Name() string { return t.q.name }

// Partitions returns the partitions in order: topics like any other, with retention
// and inspection of their own. It is nil when the name or the number is out of bounds.
func (t *PartitionedTopic) Partitions() []*Topic { return append([]*Topic(nil), t.parts...) }

// Publish adds a message to a partition, as [Topic.Publish] does, and returns its id,
// which is unique within the partition.
func (t *PartitionedTopic) Publish(ctx context.Context, payload []byte, opts ...SendOption) (id string, err error) {
	return t.q.Send(ctx, payload, opts...)
}

// PublishValue is Publish for values, as [Topic.PublishValue].
func (t *PartitionedTopic) PublishValue(ctx context.Context, v any, opts ...SendOption) (id string, err error) {
	return t.q.SendValue(ctx, v, opts...)
}

// PublishMany adds messages, as [PartitionedQueue.SendMany] does.
func (t *PartitionedTopic) PublishMany(ctx context.Context, payloads [][]byte, opts ...SendOption) (ids []string, err error) {
	return t.q.SendMany(ctx, payloads, opts...)
}

// Group returns the handle of the group called name in all partitions.
func (t *PartitionedTopic) Group(name string) *PartitionedGroup {
	g := &PartitionedGroup{name: name, q: &PartitionedQueue{c: t.c, name: t.q.name + ":" + name, err: t.q.err}}
	if t.q.err != nil {
		return g
	}
	set, err := t.c.s.GroupPartitions(t.q.name, name)
	g.q.open(set, err, t.n, func(part string) *Queue { return t.c.Queue(part) })
	return g
}

// PartitionedGroup is the handle of a group of a [PartitionedTopic].
type PartitionedGroup struct {
	name string
	q    *PartitionedQueue
}

// Name returns the group's name within its topic.
func (g *PartitionedGroup) Name() string { return g.name }

// Queue returns what is the group's own in all partitions, as [Group.Queue] does: what
// it has ready and in flight, its dead letters and settings.
func (g *PartitionedGroup) Queue() *PartitionedQueue { return g.q }

// Consume hands the group's messages to h, of those partitions that are this process's
// share of the group's: see [PartitionedQueue.Consume] and [Group.Consume].
func (g *PartitionedGroup) Consume(ctx context.Context, h Handler, opts ...ConsumeOption) error {
	return g.q.Consume(ctx, h, opts...)
}
