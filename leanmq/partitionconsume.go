package leanmq

import "context"

// Consume hands the messages of the partitions that are this process's share to h,
// until ctx ends; it drains and returns as [Queue.Consume] does.
//
// All processes that consume the queue share its partitions out evenly. When one
// comes or goes they do it again within about a second; when one dies, within about
// five, and what it had in hand follows when its [Lease] is over. A partition that
// changes hands is finished where it was, for as long as the handlers take, and what was
// not begun is handed over at once. Where there are more processes than partitions,
// several share one. Whoever has a partition, its messages are handled as those of any
// queue: at least once, and those with an [OrderingKey] in order.
//
// [Concurrency] is how many handlers run at once for all partitions here together;
// busy ones take turns, and of each as many messages are held as if it was alone.
// [Limits] hold for each partition.
//
// A client consumes each partitioned queue at most once at a time, and none of its
// partitions apart from that ([ErrConsuming]). Hooks and a log line tell which
// partitions are this process's share.
func (q *PartitionedQueue) Consume(ctx context.Context, h Handler, opts ...ConsumeOption) error {
	if q.err != nil {
		return q.wrap("consume", q.err)
	}
	h, cfg, err := q.parts[0].handlerConfig(h, opts)
	if err != nil {
		return q.wrap("consume", err)
	}
	if !q.shared.consuming.CompareAndSwap(false, true) {
		return q.wrap("consume", ErrConsuming)
	}
	defer q.shared.consuming.Store(false)

	base := context.WithoutCancel(ctx)
	workers := &crew{free: cfg.Concurrency}
	s := newSharing(q.c, q.set, len(q.parts), func(i int) *pool {
		p := newPool(base, q.parts[i], h, cfg)
		p.crew = workers
		return p
	})
	return q.wrap("consume", s.run(ctx))
}
