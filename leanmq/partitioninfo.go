package leanmq

import (
	"context"

	"github.com/leanmq/leanmq/internal/store"
)

// PartitionsInfo counts what is in a partitioned queue.
type PartitionsInfo struct {
	// QueueInfo is the sum over all partitions. It is paused when all of them are;
	// Consumers is the most that a partition has.
	QueueInfo
	Partitions []QueueInfo `json:"partitions"`
	// Members are the clients that share the partitions out now: host, process and a
	// random part.
	Members []string `json:"members"`
}

// Info counts what is in the queue now.
func (q *PartitionedQueue) Info(ctx context.Context) (PartitionsInfo, error) {
	if err := q.check(ctx); err != nil {
		return PartitionsInfo{}, q.wrap("info", err)
	}
	queues := make([]*store.Queue, len(q.parts))
	for i, p := range q.parts {
		queues[i] = p.sq
	}
	counts, err := q.c.s.Infos(ctx, queues)
	if err != nil {
		return PartitionsInfo{}, q.wrap("info", err)
	}
	info := PartitionsInfo{Partitions: make([]QueueInfo, len(counts))}
	info.Name, info.Paused = q.name, true
	for i, one := range counts {
		p := newQueueInfo(q.parts[i].name, one)
		info.Partitions[i] = p
		info.Ready += p.Ready
		info.InFlight += p.InFlight
		info.Scheduled += p.Scheduled
		info.Blocked += p.Blocked
		info.Dead += p.Dead
		info.Expired += p.Expired
		info.Canceled += p.Canceled
		info.Consumers = max(info.Consumers, p.Consumers)
		info.Paused = info.Paused && p.Paused
	}
	info.Members, err = q.set.List(ctx)
	return info, q.wrap("info", err)
}
