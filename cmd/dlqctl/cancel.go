package main

import (
	"context"
	"fmt"

	"github.com/leanmq/leanmq/leanmq"
)

var cancelCommand = command{
	name:  "cancel",
	args:  "QUEUE ID",
	short: "make sure that a message is not handled any more",
	long: `Cancels the message of QUEUE with this id (not the letter of a dead one; see
purge). One that waits is removed. Else its id is marked for 24 hours: the handler
that has it is told to stop, and whoever gets it drops it. Whether there is such a
message is not known then.
`,
	atLeast: 2, atMost: 2,
	run: cancel,
}

func cancel(ctx context.Context, c *call) error {
	return c.withQueue(ctx, func(ctx context.Context, q *leanmq.Queue) error {
		id := c.args[1]
		removed, err := q.Cancel(ctx, id)
		if err != nil {
			return err
		}
		if c.json {
			return c.printJSON(map[string]any{"queue": q.Name(), "message_id": id, "removed": removed})
		}
		text := "marked %s of %q: whoever has it, or gets it, drops it\n"
		if removed {
			text = "removed %s from %q\n"
		}
		_, err = fmt.Fprintf(c.out, text, inline(id), q.Name())
		return err
	})
}
