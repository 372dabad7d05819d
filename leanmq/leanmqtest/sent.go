package leanmqtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// Sent is a message that waits in a queue.
type Sent struct {
	*leanmq.Message
	// Due is when a scheduled message, delayed or retried, is delivered, by the
	// store's clock. Zero: it is ready, or will be when others are done.
	Due time.Time
}

// mostScheduled is how many scheduled messages Sent sees.
const mostScheduled = 10_000

// Sent returns what waits in the queue, mostly in the order in which it will be
// handled: what is ready, urgent messages first and then the oldest; what waits for
// another message with its ordering key; what is scheduled, the next one due first.
// Nothing is consumed. A handler that asks finds its own message among them.
func (e *Env) Sent(q *leanmq.Queue) []Sent {
	e.t.Helper()
	ctx := context.Background()
	var out []Sent
	for m, err := range q.Waiting(ctx) {
		if err != nil {
			e.t.Fatalf("leanmqtest: Sent: %v", err)
		}
		out = append(out, Sent{Message: m})
	}
	for m, err := range q.Blocked(ctx) {
		if err != nil {
			e.t.Fatalf("leanmqtest: Sent: %v", err)
		}
		out = append(out, Sent{Message: m})
	}
	scheduled, err := q.Scheduled(ctx, mostScheduled)
	if err != nil {
		e.t.Fatalf("leanmqtest: Sent: %v", err)
	}
	for i := range scheduled {
		out = append(out, Sent{Message: &scheduled[i].Message, Due: scheduled[i].Due})
	}
	return out
}

// DeadLetters returns the queue's dead letters, oldest first.
func (e *Env) DeadLetters(q *leanmq.Queue) []*leanmq.DeadLetter {
	e.t.Helper()
	var out []*leanmq.DeadLetter
	for d, err := range q.DeadLetters(context.Background()) {
		if err != nil {
			e.t.Fatalf("leanmqtest: DeadLetters: %v", err)
		}
		out = append(out, d)
	}
	return out
}

// RequireSent ends the test unless the payloads that Sent finds are these, in this
// order. For anything but payloads look at Sent itself.
func (e *Env) RequireSent(q *leanmq.Queue, payloads ...string) {
	e.t.Helper()
	sent := e.Sent(q)
	if slices.EqualFunc(sent, payloads, func(s Sent, want string) bool { return string(s.Payload) == want }) {
		return
	}
	want := make([]string, len(payloads))
	for i, p := range payloads {
		want[i] = show([]byte(p))
	}
	e.t.Fatalf("leanmqtest: in queue %q wait%swant%s", q.Name(), block(e.list(sent, nil)), block(want))
}

// RequireEmpty ends the test unless the queue holds nothing: nothing that is ready,
// being handled, blocked or scheduled, and no dead letter.
func (e *Env) RequireEmpty(q *leanmq.Queue) {
	e.t.Helper()
	if there := e.list(e.Sent(q), e.DeadLetters(q)); len(there) > 0 {
		e.t.Fatalf("leanmqtest: queue %q is not empty, it holds%s", q.Name(), block(there))
	}
}

// list describes what is in a queue, a line for each message.
func (e *Env) list(sent []Sent, dead []*leanmq.DeadLetter) []string {
	var lines []string
	for _, s := range sent {
		line := show(s.Payload)
		if !s.Due.IsZero() {
			line += fmt.Sprintf(", due in %v", s.Due.Sub(e.Now()))
		}
		if s.LastError != "" {
			line += fmt.Sprintf(", attempt %d after: %s", s.Attempt, firstLine(s.LastError))
		}
		lines = append(lines, line)
	}
	for _, d := range dead {
		lines = append(lines, fmt.Sprintf("%s, dead (%s): %s", show(d.Message.Payload), d.Reason, firstLine(d.Error)))
	}
	return lines
}

// block indents lines, below a heading and above what follows.
func block(lines []string) string {
	if len(lines) == 0 {
		lines = []string{"(nothing)"}
	}
	return "\n\t" + strings.Join(lines, "\n\t") + "\n"
}

// firstLine spares the stack of a panic.
func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
