package main

import (
	"context"
	"strconv"

	"github.com/leanmq/leanmq/leanmq"
)

var lsCommand = command{
	name:  "ls",
	args:  "QUEUE [--limit N]",
	short: "list dead letters, oldest first",
	long: `Lists the dead letters of QUEUE, oldest first, with the beginning of what each
addressed and why it failed. LETTER is the name that show, requeue and purge
take. With --json the objects are those of show: whole, payload included.

  --limit N        how many at most; default: 50
`,
	flags:   []string{"limit"},
	atLeast: 1, atMost: 1,
	run: ls,
}

// maxID is how much of a message id the table shows: an UUID, or a letter.
const maxID = 36

func ls(ctx context.Context, c *call) error {
	t := table{
		head:  []string{"LETTER", "MESSAGE ID", "REASON", "ATTEMPTS", "DIED", "ERROR"},
		right: []int{3},
	}
	shown, more := 0, false
	err := c.withQueue(ctx, func(ctx context.Context, q *leanmq.Queue) error {
		for d, err := range q.DeadLetters(ctx) {
			if err != nil {
				return err
			}
			if more = shown == c.limit; more {
				break
			}
			shown++
			if !c.json {
				t.add(d.Letter, cut(inline(d.Message.ID), maxID), d.Reason,
					strconv.Itoa(d.Message.Attempt), local(d.LastFailed), what(d))
			} else if err := c.printJSON(newLetterJSON(d)); err != nil {
				return err
			}
		}
		return nil
	})
	if len(t.rows) > 0 {
		t.cutLast(c.width())
		t.write(c.out)
	}
	switch {
	case err != nil:
		return err
	case shown == 0:
		c.note("no dead letters in %q", c.args[0])
	case more:
		c.note("more than these %d: see them with --limit", c.limit)
	}
	return nil
}

// what failed, and why: as much as one look at it takes.
func what(d *leanmq.DeadLetter) string {
	if d.Message.Target == "" {
		return d.Error
	}
	return d.Message.Target + ": " + d.Error
}
