package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/leanmq/leanmq/leanmq"
)

var showCommand = command{
	name:  "show",
	args:  "QUEUE LETTER",
	short: "show all of a dead letter",
	long: `Shows everything about one dead letter, with the last five attempts to handle
it. Its payload is shown as text when it is text, indented when it is JSON, and
as a hex dump otherwise. With --json it is the string "payload" when it is UTF-8,
and "payload_base64" otherwise.
`,
	atLeast: 2, atMost: 2,
	run: show,
}

func show(ctx context.Context, c *call) error {
	return c.withQueue(ctx, func(ctx context.Context, q *leanmq.Queue) error {
		d, err := q.DeadLetter(ctx, c.args[1])
		if noLetter(err) {
			return missing(q.Name(), c.args[1:])
		}
		if err != nil {
			return err
		}
		if c.json {
			return c.printJSON(newLetterJSON(d))
		}
		_, err = c.out.WriteString(letterText(d))
		return err
	})
}

func letterText(d *leanmq.DeadLetter) string {
	m := &d.Message
	var b strings.Builder
	field := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-14s%s\n", name, inline(value))
		}
	}
	field("queue", m.Queue)
	field("letter", d.Letter)
	field("message id", m.ID)
	field("target", m.Target)
	field("reason", d.Reason)
	field("attempts", strconv.Itoa(m.Attempt))
	field("sent", local(m.SentAt))
	field("first failed", local(d.FirstFailed))
	field("died", local(d.LastFailed))
	if !m.Deadline.IsZero() {
		field("deadline", local(m.Deadline))
	}
	if len(m.Header) > 0 {
		b.WriteString("\nheaders\n")
		for _, name := range slices.Sorted(maps.Keys(m.Header)) {
			b.WriteString("  " + inline(name+": "+m.Header[name]) + "\n")
		}
	}
	if attempts := m.History(); len(attempts) > 0 {
		b.WriteString("\nlast attempts\n" + indent(attemptsText(attempts)))
	}
	if d.Error != "" {
		b.WriteString("\nerror\n" + indent(block(d.Error)))
	}
	fmt.Fprintf(&b, "\npayload, %d bytes\n", len(m.Payload))
	if len(m.Payload) > 0 {
		b.WriteString(indent(payloadText(m.Payload)))
	}
	return b.String()
}

// attemptsText has a line for each failed attempt, with the first line of its error:
// the last one is shown whole.
func attemptsText(attempts []leanmq.Attempt) string {
	t := table{head: []string{"FAILED", "WORKER", "ERROR"}}
	for _, a := range attempts {
		line, _, _ := strings.Cut(a.Error, "\n")
		t.add(local(a.At), a.Worker, line)
	}
	var b strings.Builder
	t.write(&b)
	return b.String()
}

func payloadText(p []byte) string {
	var pretty bytes.Buffer
	switch {
	case !isText(p):
		return hex.Dump(p)
	case json.Indent(&pretty, p, "", "  ") == nil:
		return block(pretty.String())
	}
	return block(string(p))
}

// isText reports whether p is text that a person can read. Format characters,
// which hold some emojis together, do not make it data.
func isText(p []byte) bool {
	return utf8.Valid(p) && bytes.IndexFunc(p, func(r rune) bool {
		return unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r)
	}) < 0
}

// noLetter reports whether an error is about a letter that is not there. What
// cannot be a letter's name is not there either.
func noLetter(err error) bool {
	return errors.Is(err, leanmq.ErrNotFound) || errors.Is(err, leanmq.ErrInvalid)
}

// missing is the error for letters that are not there.
func missing(queue string, letters []string) error {
	names := "no such dead letter"
	if len(letters) > 1 {
		names += "s"
	}
	return fmt.Errorf("%s in %q: %s (dlqctl ls lists them)", names, queue, strings.Join(letters, ", "))
}
