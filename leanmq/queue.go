package leanmq

import (
	"context"
	"fmt"

	"github.com/leanmq/leanmq/internal/store"
)

// Queue is the handle of a queue. It costs nothing until it is used; the queue
// itself comes to be with its first message or consumer.
type Queue struct {
	c      *Client
	name   string
	sq     *store.Queue
	maxLen int
	scoped bool  // ids are unique within a target
	plain  bool  // a send without options is nothing but an XADD
	parks  bool  // its messages wait for their own queue
	topic  bool  // sends publish to a topic
	err    error // of the name or an option: every use returns it

	maxPayload int // in bytes
}

// A QueueOption configures a queue's handle.
type QueueOption func(*Queue)

// MaxLen makes sends through this handle fail with [ErrQueueFull] while n or
// more messages wait, in flight and scheduled ones included. Default: no limit.
// Other handles of the same queue have limits of their own.
func MaxLen(n int) QueueOption {
	return func(q *Queue) {
		if n < 1 {
			q.err = invalid("MaxLen", "is %d: want 1 or more", n)
		}
		q.maxLen = n
	}
}

// MaxPayloadBytes makes sends through this handle fail with [ErrInvalid] when a
// payload has more than n bytes, before [Compress] and [Encrypt]. Default and
// most: [MaxPayload]. Other handles of the same queue have limits of their own.
func MaxPayloadBytes(n int) QueueOption {
	return func(q *Queue) {
		if n < 1 || n > MaxPayload {
			q.err = invalid("MaxPayloadBytes", "is %d: want 1 to %d", n, MaxPayload)
		}
		q.maxPayload = n
	}
}

// DedupeByTarget makes an [ID] unique among the messages with the same [Target]
// instead of among all of the queue.
func DedupeByTarget() QueueOption { return func(q *Queue) { q.scoped = true } }

// Parking is for the packages of this module: the messages sent through the handle
// wait for their own queue to be known.
func Parking(store.Parking) QueueOption { return func(q *Queue) { q.parks = true } }

// Queue returns the handle of the queue called name: "name", or "service:name"
// for queues whose keys share one hash tag. Either part has no control
// characters, braces or colons; a name has 1 to 200 bytes, a service 1 to 64.
// "service:topic:group" is the queue of a topic's group (see [Group.Queue]). A name
// out of bounds makes every use of the handle fail.
func (c *Client) Queue(name string, opts ...QueueOption) *Queue {
	q := &Queue{c: c, name: name, maxPayload: MaxPayload}
	q.sq, q.err = c.s.Queue(name)
	if q.err == nil {
		q.name = q.sq.Name
	}
	for _, o := range opts {
		o(q)
	}
	q.plain = q.err == nil && !q.parks && q.maxLen == 0 && c.sealer == nil && c.sending == nil
	return q
}

// Name returns the queue's name.
func (q *Queue) Name() string { return q.name }

func (q *Queue) wrap(op, id string, err error) error {
	if q.topic && op == "send" {
		op = "publish"
	}
	return wrap(op, q.name, id, err)
}

// Create makes the queue exist before its first message or consumer does. A
// queue that exists is left as it is.
func (q *Queue) Create(ctx context.Context) error {
	if q.err != nil {
		return q.wrap("create", "", q.err)
	}
	return q.wrap("create", "", q.sq.Create(ctx))
}

// QueueInfo counts a queue's messages by their state.
type QueueInfo struct {
	Name      string `json:"name"`
	Ready     int64  `json:"ready"`
	InFlight  int64  `json:"in_flight"`
	Scheduled int64  `json:"scheduled"` // delayed sends and waiting retries
	Blocked   int64  `json:"blocked"`   // waiting for another one with their ordering key
	Dead      int64  `json:"dead"`
	Consumers int64  `json:"consumers"`
	Paused    bool   `json:"paused"`
	Expired   int64  `json:"expired"`  // messages whose TTL was over, ever
	Canceled  int64  `json:"canceled"` // messages that were canceled, ever
}

// Info counts what is in the queue now. A queue that does not exist is empty.
func (q *Queue) Info(ctx context.Context) (QueueInfo, error) {
	if q.err != nil {
		return QueueInfo{}, q.wrap("info", "", q.err)
	}
	info, err := q.sq.Info(ctx)
	return newQueueInfo(q.name, info), q.wrap("info", "", err)
}

func newQueueInfo(name string, i store.Info) QueueInfo {
	return QueueInfo{
		Name: name, Ready: i.Ready, InFlight: i.InFlight,
		Scheduled: i.Scheduled, Blocked: i.Blocked, Dead: i.Dead, Consumers: i.Consumers,
		Paused: i.Paused, Expired: i.Expired, Canceled: i.Canceled,
	}
}

// QueueNames lists the names of all queues, sorted.
func (c *Client) QueueNames(ctx context.Context) ([]string, error) {
	names, err := c.s.QueueNames(ctx)
	return names, wrap("list queues", "", "", err)
}

// Queues counts the messages of all queues, sorted by name.
func (c *Client) Queues(ctx context.Context) ([]QueueInfo, error) {
	names, err := c.s.QueueNames(ctx)
	if err != nil {
		return nil, wrap("list queues", "", "", err)
	}
	var queues []*store.Queue
	for _, name := range names {
		q, err := c.s.Queue(name)
		if err != nil {
			continue // not a queue of ours: somebody wrote into the registry
		}
		queues = append(queues, q)
	}
	counts, err := c.s.Infos(ctx, queues)
	if err != nil {
		return nil, wrap("list queues", "", "", err)
	}
	infos := make([]QueueInfo, len(queues))
	for i, q := range queues {
		infos[i] = newQueueInfo(q.Name, counts[i])
	}
	return infos, nil
}

// Delete deletes the queue. One that still holds messages, dead letters
// included, is left alone and the result is [ErrNotEmpty].
func (q *Queue) Delete(ctx context.Context) error { return q.delete(ctx, false) }

// ForceDelete deletes the queue and all messages in it.
func (q *Queue) ForceDelete(ctx context.Context) error { return q.delete(ctx, true) }

func (q *Queue) delete(ctx context.Context, force bool) error {
	if q.err != nil {
		return q.wrap("delete", "", q.err)
	}
	left, err := q.sq.Delete(ctx, force)
	if err == nil && left > 0 {
		err = fmt.Errorf("%w: it holds %d", ErrNotEmpty, left)
	}
	return q.wrap("delete", "", err)
}
