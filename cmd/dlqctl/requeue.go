package main

import (
	"context"
	"fmt"

	"github.com/leanmq/leanmq/leanmq"
)

var requeueCommand = command{
	name:  "requeue",
	args:  "QUEUE LETTER... | --all",
	short: "send dead letters again",
	long: `Sends dead letters again, as new messages with the same id, payload and headers
and all attempts before them. Each is moved atomically: after an interruption,
run it again for the rest. Letters that are not there are named at the end; the
others are requeued.

  --all            all that are dead when it begins
`,
	flags:   []string{"all"},
	atLeast: 1, atMost: -1,
	run: requeue,
}

func requeue(ctx context.Context, c *call) error {
	r := result{Queue: c.args[0]}
	err := c.withQueue(ctx, func(ctx context.Context, q *leanmq.Queue) (err error) {
		r.Queue = q.Name()
		if c.all {
			r.done, err = q.RequeueAll(ctx)
			return err
		}
		return r.each(c.letters(), func(letter string) (int, error) { return q.Requeue(ctx, letter) })
	})
	if err != nil && r.done == 0 {
		return err
	}
	if perr := c.printResult("requeued", r); err == nil {
		err = perr
	}
	return err
}

// result is what became of dead letters.
type result struct {
	Queue    string
	done     int
	NotFound []string
}

// each does something to letters one by one, so that it is known which of them
// are not there and, when it ends early, how many were done.
func (r *result) each(letters []string, do func(letter string) (int, error)) error {
	for _, letter := range letters {
		n, err := do(letter)
		if err != nil && !noLetter(err) {
			return err
		}
		if n == 0 {
			r.NotFound = append(r.NotFound, letter)
		}
		r.done += n
	}
	return nil
}

// printResult prints what was done, and returns what was not as an error.
func (c *call) printResult(verb string, r result) error {
	if c.json {
		fields := map[string]any{"queue": r.Queue, verb: r.done}
		if len(r.NotFound) > 0 {
			fields["not_found"] = r.NotFound
		}
		if err := c.printJSON(fields); err != nil {
			return err
		}
	} else if _, err := fmt.Fprintf(c.out, "%s %s of %q\n", verb, deadLetters(r.done), r.Queue); err != nil {
		return err
	}
	if len(r.NotFound) > 0 {
		return missing(r.Queue, r.NotFound)
	}
	return nil
}
