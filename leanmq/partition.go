package leanmq

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

// PartitionedQueue is the handle of a queue that is spread over several partitions:
// on Redis Cluster over all its masters, in equal shares.
//
// Each partition is a [Queue] of its own, with a name of its own ([Message.Queue],
// [PartitionedQueue.Partition]), dead letters and settings; what is promised of
// queues holds for each. A message is in one partition from its send to its end:
//
//   - Those with one [OrderingKey] are in one partition, and handled in order.
//   - Without one, [PartitionBy] decides; else [Unique] or [UniqueFor], or
//     [UniquePayload]; else [ID]. So keys are unique, and ids deduplicated, in the
//     whole queue. Where a key further to the front decides, they are so in its
//     partition: a message that is sent again has to come with the same one.
//   - All others go round all partitions, beginning with a random one.
//
// Ids that Redis gives are unique within a partition.
//
// Processes that consume the queue share its partitions out by themselves, and again
// when one comes or goes; see [PartitionedQueue.Consume].
//
// The number of partitions is fixed by the first use of the queue: another one is
// refused with a [*PartitionsError].
type PartitionedQueue struct {
	c      *Client
	name   string
	parts  []*Queue
	set    *store.Partitions
	shared *partitionsShared
	err    error // of the name, the number or an option: every use returns it
}

// partitionsShared is what all handles of a partitioned queue in a client share.
type partitionsShared struct {
	next      atomic.Uint64 // partition of the next message, and many rounds
	confirmed atomic.Int64  // when its number was found right, in ns
	consuming atomic.Bool
}

type partitionsKey struct {
	record, name string
	n            int
}

// Partitioned returns the handle of a queue with n partitions, 1 to 1024. Twice to
// four times as many as there will ever be masters is a good number; it cannot be
// changed while the queue has messages.
//
// The name is as in [Client.Queue], but a name without a service, or else the
// service, has at most 55 bytes. The options hold for each partition: [MaxLen]
// bounds each of them. Make the handle once: it knows the names of all partitions.
func (c *Client) Partitioned(name string, n int, opts ...QueueOption) *PartitionedQueue {
	q := &PartitionedQueue{c: c, name: name}
	set, err := c.s.Partitions(name)
	q.open(set, err, n, func(part string) *Queue { return c.Queue(part, opts...) })
	return q
}

// open makes the handles of the partitions.
func (q *PartitionedQueue) open(set *store.Partitions, err error, n int, part func(name string) *Queue) {
	if q.set, q.err = set, err; err != nil {
		return
	}
	q.name = q.set.Name
	if n < 1 || n > store.MaxPartitions {
		q.err = invalid("partitions", "are %d: want 1 to %d", n, store.MaxPartitions)
		return
	}
	q.parts = make([]*Queue, n)
	for i := range q.parts {
		q.parts[i] = part(q.set.PartitionName(i, n))
		if q.err == nil {
			q.err = q.parts[i].err
		}
	}
	q.shared = q.c.Shared(partitionsKey{q.set.Record, q.name, n}, func() any {
		s := &partitionsShared{}
		s.next.Store(rand.Uint64() >> 1) // so that senders do not march together
		return s
	}).(*partitionsShared)
}

// Name returns the queue's full name.
func (q *PartitionedQueue) Name() string { return q.name }

// Partitions returns the partitions in order: queues like any other. It is nil
// when the name or the number is out of bounds.
func (q *PartitionedQueue) Partitions() []*Queue { return append([]*Queue(nil), q.parts...) }

// Partition returns the partition of the messages that key puts there: an
// [OrderingKey], a [PartitionBy], a [Unique] key or an [ID]. So it is where to
// [Queue.Cancel] a message by its ID, or to wait for its result.
func (q *PartitionedQueue) Partition(key string) *Queue {
	if len(q.parts) == 0 {
		return &Queue{c: q.c, name: q.name, err: q.err}
	}
	return q.parts[partitionOf(key, len(q.parts))]
}

func (q *PartitionedQueue) wrap(op string, err error) error {
	var where *Error
	if errors.As(err, &where) {
		return err // a partition's, which says more
	}
	return wrap(op, q.name, "", err)
}

// PartitionsError says that the queue has another number of partitions. Nothing was done.
// It is an ErrInvalid.
type PartitionsError struct {
	Queue        string
	Given, Fixed int // numbers of partitions
}

func (e *PartitionsError) Error() string {
	return fmt.Sprintf("%s has %d partitions, not %d, since its first use: use %d, or delete it with these (PartitionedQueue.Delete) once it is empty",
		e.Queue, e.Fixed, e.Given, e.Fixed)
}

// Is makes errors.Is(err, ErrInvalid) true.
func (e *PartitionsError) Is(target error) bool { return target == ErrInvalid }

// confirmAge is how long the number of partitions is trusted: somebody may delete
// the queue, or all there is, and others make it again.
const confirmAge = 10 * time.Second

// fix makes the queue have as many partitions as this handle says, unless it has
// another number already. That costs a round trip once, and little from then on.
func (q *PartitionedQueue) fix(ctx context.Context) error {
	return q.confirm(func() (int, error) { return q.set.Fix(ctx, len(q.parts)) })
}

// check is fix for calls that do not make a queue.
func (q *PartitionedQueue) check(ctx context.Context) error {
	return q.confirm(func() (int, error) { return q.set.Number(ctx) })
}

func (q *PartitionedQueue) confirm(number func() (int, error)) error {
	if q.err != nil {
		return q.err
	}
	now, last := time.Now().UnixNano(), q.shared.confirmed.Load()
	if now-last < int64(confirmAge) {
		return nil
	}
	if last != 0 && !q.shared.confirmed.CompareAndSwap(last, now) {
		return nil // somebody else is at it
	}
	n, err := number()
	switch {
	case err == nil && n == 0:
		q.shared.confirmed.Store(0)
		return nil
	case err == nil && n == len(q.parts):
		q.shared.confirmed.Store(now)
		return nil
	case err == nil:
		q.shared.confirmed.Store(0)
		return &PartitionsError{Queue: q.name, Given: len(q.parts), Fixed: n}
	case last != 0:
		return nil // what was to be done meets the same outage and says so
	case errors.Is(err, ErrUnknown): // would say that something was sent, perhaps
		return fmt.Errorf("%w: its number of partitions could not be read: %v", ErrUnavailable, err) //nolint:errorlint // on purpose
	}
	return err
}
