package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/leanmq/leanmq/leanmq"
)

var purgeCommand = command{
	name:  "purge",
	args:  "QUEUE LETTER... | --all [--yes]",
	short: "delete dead letters for good",
	long: `Deletes dead letters for good, after asking. Letters that are not there are named
at the end; the others are deleted. To keep a copy of what is deleted:

  dlqctl ls QUEUE --json --limit 1000000 > letters.json

  --all            all dead letters of the queue
  --yes            do not ask; needed where there is no terminal to ask on
`,
	flags:   []string{"all", "yes"},
	atLeast: 1, atMost: -1,
	run: purge,
}

func purge(ctx context.Context, c *call) error {
	if !c.yes && !isTerminal(c.stdin) {
		return c.usagef("purge deletes for good and there is no terminal to ask on: pass --yes")
	}
	r := result{Queue: c.args[0]}
	if !c.yes {
		n, err := c.confirm(ctx)
		if err != nil {
			return err
		}
		if n == 0 { // then do not touch one that has come since
			return c.printResult("deleted", r)
		}
	}
	err := c.withQueue(ctx, func(ctx context.Context, q *leanmq.Queue) error {
		r.Queue = q.Name()
		if c.all {
			n, err := q.PurgeAllDead(ctx)
			r.done = int(n)
			return err
		}
		return r.each(c.letters(), func(letter string) (int, error) {
			n, err := q.PurgeDead(ctx, letter)
			return int(n), err
		})
	})
	if err != nil && r.done == 0 {
		return err
	}
	if perr := c.printResult("deleted", r); err == nil {
		err = perr
	}
	return err
}

var errDeclined = errors.New("nothing was deleted")

// confirm asks whether to delete and returns how many it asked for: with 0 there
// was nothing to ask. The time for the answer is not taken from --timeout: no
// connection is open meanwhile.
func (c *call) confirm(ctx context.Context) (int, error) {
	n, name := len(c.letters()), ""
	err := c.withQueue(ctx, func(ctx context.Context, q *leanmq.Queue) error {
		name = q.Name()
		if !c.all {
			return nil
		}
		info, err := q.Info(ctx)
		n = int(info.Dead)
		return err
	})
	if err != nil || n == 0 {
		return 0, err
	}
	if !c.ask(ctx, fmt.Sprintf("Delete %s of %q for good? [y/N] ", deadLetters(n), name)) {
		return 0, errDeclined
	}
	return n, nil
}

// ask reports whether the answer to a question is yes.
func (c *call) ask(ctx context.Context, question string) bool {
	_, _ = fmt.Fprint(c.stderr, question)
	answer, err := readLine(ctx, c.stdin)
	if err != nil { // the cursor is still behind the question
		_, _ = fmt.Fprintln(c.stderr)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true
	}
	return false
}

// readLine reads a line, unless ctx ends first. A read from a terminal cannot be
// interrupted: its goroutine then waits until the process ends, which is next.
func readLine(ctx context.Context, r io.Reader) (string, error) {
	type read struct {
		line string
		err  error
	}
	answer := make(chan read, 1)
	go func() {
		line, err := bufio.NewReader(r).ReadString('\n')
		answer <- read{line, err}
	}()
	select {
	case a := <-answer:
		return a.line, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
