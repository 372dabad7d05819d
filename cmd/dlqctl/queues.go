package main

import (
	"slices"

	"github.com/leanmq/leanmq/leanmq"
)

var queuesCommand = command{
	name:  "queues",
	short: "list all queues and what is in them",
	long: `Lists all queues by name with the number of messages that are ready, in flight
(with a worker), scheduled (delayed, or waiting to be retried) and dead, and the
numbers of consumers and of messages that expired so far. Where there are any, it
also shows how many messages are blocked (behind others with their ordering key),
and which queues are paused.
`,
	run: listing[leanmq.QueueInfo]{"queues", (*leanmq.Client).Queues, queueTable}.list,
}

func queueTable(infos []leanmq.QueueInfo) *table {
	t := &table{
		head:  []string{"NAME", "READY", "IN FLIGHT", "SCHEDULED", "DEAD", "CONSUMERS", "EXPIRED"},
		right: []int{1, 2, 3, 4, 5, 6},
	}
	blocked := slices.ContainsFunc(infos, func(i leanmq.QueueInfo) bool { return i.Blocked > 0 })
	paused := slices.ContainsFunc(infos, func(i leanmq.QueueInfo) bool { return i.Paused })
	if blocked {
		t.right = append(t.right, len(t.head))
		t.head = append(t.head, "BLOCKED")
	}
	if paused {
		t.head = append(t.head, "STATE")
	}
	for _, i := range infos {
		row := counts([]string{i.Name}, i.Ready, i.InFlight, i.Scheduled, i.Dead, i.Consumers, i.Expired)
		if blocked {
			row = counts(row, i.Blocked)
		}
		switch {
		case i.Paused:
			row = append(row, "paused")
		case paused:
			row = append(row, "")
		}
		t.add(row...)
	}
	return t
}
