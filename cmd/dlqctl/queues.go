package main

import (
	"context"
	"slices"
	"strconv"

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
	run: queues,
}

func queues(ctx context.Context, c *call) error {
	var infos []leanmq.QueueInfo
	err := c.withClient(ctx, func(ctx context.Context, client *leanmq.Client) (err error) {
		infos, err = client.Queues(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if len(infos) == 0 {
		c.note("no queues with the prefix %q", c.prefix)
		return nil
	}
	if c.json {
		for _, i := range infos {
			if err := c.printJSON(i); err != nil {
				return err
			}
		}
		return nil
	}
	t := table{
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
		row := []string{i.Name}
		numbers := []int64{i.Ready, i.InFlight, i.Scheduled, i.Dead, i.Consumers, i.Expired}
		if blocked {
			numbers = append(numbers, i.Blocked)
		}
		for _, n := range numbers {
			row = append(row, strconv.FormatInt(n, 10))
		}
		switch {
		case i.Paused:
			row = append(row, "paused")
		case paused:
			row = append(row, "")
		}
		t.add(row...)
	}
	t.write(c.out)
	return nil
}
