package main

import (
	"context"
	"fmt"

	"github.com/leanmq/leanmq/leanmq"
)

var pauseCommand = command{
	name:  "pause",
	args:  "QUEUE",
	short: "hand out no more messages of a queue",
	long: `Stops the handing out of QUEUE's messages in all processes, within a second:
handlers that run finish, what was not begun is handed back. Sends go on.
Pausing twice is fine; dlqctl resume ends it, dlqctl ps shows what still runs.
`,
	atLeast: 1, atMost: 1,
	run: func(ctx context.Context, c *call) error { return setPaused(ctx, c, true) },
}

var resumeCommand = command{
	name:  "resume",
	args:  "QUEUE",
	short: "end a pause",
	long: `Ends a pause of QUEUE. Resuming what is not paused is fine.
`,
	atLeast: 1, atMost: 1,
	run: func(ctx context.Context, c *call) error { return setPaused(ctx, c, false) },
}

func setPaused(ctx context.Context, c *call, paused bool) error {
	return c.withQueue(ctx, func(ctx context.Context, q *leanmq.Queue) error {
		set, done := q.Resume, "resumed"
		if paused {
			set, done = q.Pause, "paused"
		}
		if err := set(ctx); err != nil {
			return err
		}
		if c.json {
			return c.printJSON(map[string]any{"queue": q.Name(), "paused": paused})
		}
		_, err := fmt.Fprintf(c.out, "%s %q\n", done, q.Name())
		return err
	})
}
