package main

import (
	"context"
	"strconv"

	"github.com/leanmq/leanmq/leanmq"
)

var queuesCommand = command{
	name:  "queues",
	short: "list all queues and what is in them",
	long: `Lists all queues by name with the number of messages that are ready, in flight
(with a worker), scheduled (delayed, or waiting to be retried) and dead, and the
numbers of consumers and of messages that expired so far.
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
	for _, i := range infos {
		row := []string{i.Name}
		for _, n := range []int64{i.Ready, i.InFlight, i.Scheduled, i.Dead, i.Consumers, i.Expired} {
			row = append(row, strconv.FormatInt(n, 10))
		}
		t.add(row...)
	}
	t.write(c.out)
	return nil
}
