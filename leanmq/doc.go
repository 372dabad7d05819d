// Package leanmq is a message queue over Redis Streams.
//
// A [Queue] holds messages until a handler has dealt with them. Handlers
// compete: each message goes to one of them, in whatever process it runs. A
// [Topic] keeps its messages, and each of its groups gets all of them.
//
//	mq, err := leanmq.Open(ctx, "redis://localhost:6379")
//	emails := mq.Queue("emails")
//	id, err := emails.Send(ctx, payload, leanmq.Delay(time.Minute))
//	err = emails.Consume(ctx, func(ctx context.Context, m *leanmq.Message) error { … })
//
// # What is promised
//
// Loss: a message whose Send returned nil is delivered at least once, or is
// still queued, scheduled, or in the dead-letter queue. Nothing is trimmed
// away, but for what a topic's [Retention] says. How much of that survives a crash
// of the Redis server itself is decided by the server's persistence: see
// docs/design.md.
//
// Duplication: a message is handled again when its worker died, or lost its
// lease, before it was settled; handlers should be idempotent. A Send that
// ended with [ErrUnknown] may or may not have been executed; it is never
// repeated behind the caller's back. To repeat it safely, give it an [ID].
//
// Order: messages are delivered in send order when one worker takes one message
// at a time ([Concurrency] 1 in one process) and none fails. Messages with the same
// [OrderingKey] are handled one after another in send order, by any number of
// workers and processes, through failures and crashes. [Priority] lets messages
// overtake others.
//
// Topics: a message is written once, however many groups there are. To a [Group] it
// is like one of a queue: retries, dead letters, limits and settings are the group's
// own, and touch no other one. A group begins with what is retained unless [StartAt]
// says otherwise, gets the types that its filter matches ([Types]), and can be moved
// ([Group.Seek]). Retention takes nothing away that a group has not read or has in
// flight, unless [Retention].DropUnread says so.
//
// Partitions: a [PartitionedQueue], or a [PartitionedTopic], is spread over the masters
// of a Redis Cluster, and processes share its partitions out by themselves. All that is
// said here holds for each partition; keys are ordered, and unique, in the whole queue
// as far as they decide on the partition.
//
// Once: an [ID] and a [Unique] key keep a second message out, see there.
//
// Transactions: [Client.Tx] sends, publishes and settles messages and runs commands of
// the caller's own, all at once or not at all. What a handler does in one transaction with
// the settling of its message happens exactly once. On a cluster all of it has to be
// in one slot ([ErrCrossSlot]).
//
// Bounds: [MaxLen] refuses sends; [Limits] hold for all processes together; a paused
// queue ([Queue.Pause]) hands out nothing.
//
// Failure: the error a handler returns is its verdict. nil is done, an error is
// a retry with exponential backoff and full jitter until [RetryPolicy] gives
// up, [Reject] dead-letters at once, [RetryAfter] retries then, and a panic is
// an error that carries its stack. Rules such as [RejectOn] say so for errors
// that handlers just return. A message can bring its own policy ([RetryWith]),
// and remembers its last failures ([Message.History]).
//
// Expiry: a message whose [TTL] is over is never handed to a handler. It is
// dropped, or dead-lettered if [OnExpired] says so, and counted in [QueueInfo].
//
// Crash: a message being handled is leased (30 s by default) and the lease is
// renewed while the handler runs. When it runs out, another worker takes the
// message over, which counts as a further delivery, not as a failed attempt.
// From then on the first worker cannot settle it: its handler's context ends
// with [ErrLeaseLost]. A message delivered [MaxDeliveries] times without being
// settled is dead-lettered.
//
// Delay: a scheduled message is never early by the server's clock, and late by
// milliseconds.
//
// Backpressure: a process takes no more messages than its workers can hold. For
// handlers slower than a few milliseconds that is one for each free worker.
//
// Shutdown: when the context of Consume ends, it stops fetching at once, lets
// running handlers finish within [DrainTimeout], and hands back what has not
// been started.
//
// Outage: while Redis is away, calls fail with [ErrUnavailable] within their
// deadline, and consumers keep trying; they resume by themselves.
//
// Several servers: all of this holds on a Redis Cluster, and on a master with
// sentinels ([Open]), for what is replicated. Replication is asynchronous, so a
// fail-over may lose what came last; a send with [Replicas] waits until replicas
// have it. While a queue's slot moves to another master the queue stands still, but
// for plain sends, and nothing is lost.
//
// Everything in this package is safe for concurrent use unless it says
// otherwise.
package leanmq
