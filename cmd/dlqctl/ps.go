package main

import (
	"context"
	"strconv"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

var psCommand = command{
	name:  "ps",
	args:  "QUEUE [--limit N]",
	short: "list messages in flight: who has them, how far they are",
	long: `Lists the messages of QUEUE that workers have, oldest first: the worker, the time
since it last gave a sign of life (it is taken for dead after its lease), how often
the message was delivered, and what its handler has said about its progress.

  --limit N        how many at most, to 10000; default: 50
`,
	flags:   []string{"limit"},
	atLeast: 1, atMost: 1,
	run: ps,
}

// maxInFlight is the most that leanmq lists.
const maxInFlight = 10000

// inFlightJSON is a message in flight for programs.
type inFlightJSON struct {
	Queue      string    `json:"queue"`
	MessageID  string    `json:"message_id"`
	Target     string    `json:"target,omitzero"`
	Worker     string    `json:"worker"`
	IdleMs     int64     `json:"idle_ms"`
	Deliveries int       `json:"deliveries"`
	Attempt    int       `json:"attempt"`
	SentAt     time.Time `json:"sent_at"`
	Progress   string    `json:"progress,omitzero"`
}

func ps(ctx context.Context, c *call) error {
	if c.limit > maxInFlight {
		return c.usagef("--limit is %d: want 1 to %d", c.limit, maxInFlight)
	}
	var list []leanmq.InFlight
	err := c.withQueue(ctx, func(ctx context.Context, q *leanmq.Queue) (err error) {
		list, err = q.InFlight(ctx, c.limit)
		return err
	})
	if err != nil {
		return err
	}
	if len(list) == 0 {
		c.note("nothing of %q is in flight", c.args[0])
		return nil
	}
	t := table{
		head:  []string{"MESSAGE ID", "WORKER", "IDLE", "DELIVERIES", "PROGRESS"},
		right: []int{2, 3},
	}
	for i := range list {
		f := &list[i]
		m := &f.Message
		if !c.json {
			t.add(cut(inline(m.ID), maxID), f.Worker, idle(f.Idle), strconv.Itoa(m.Deliveries), f.Progress)
			continue
		}
		err := c.printJSON(inFlightJSON{
			Queue: m.Queue, MessageID: m.ID, Target: m.Target, Worker: f.Worker, IdleMs: f.Idle.Milliseconds(),
			Deliveries: m.Deliveries, Attempt: m.Attempt, SentAt: m.SentAt.UTC(), Progress: f.Progress,
		})
		if err != nil {
			return err
		}
	}
	if !c.json {
		t.cutLast(c.width())
		t.write(c.out)
	}
	return nil
}

// idle is a time as exact as it matters.
func idle(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
