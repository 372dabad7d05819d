package leanmqtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// Handled is one attempt at a message.
type Handled struct {
	*leanmq.Message
	Became leanmq.Outcome
	// Reason says why it is dead, with one of leanmq's Reason constants, or why it
	// was dropped: "expired" or "canceled".
	Reason string
	// Delay is how long it waits for its next attempt, if it is to be retried.
	Delay time.Duration
	// Err is what the handler returned, a *leanmq.PanicError if it panicked, or why
	// it was not called.
	Err error
	// Reply is what the caller of a request was answered, or nil.
	Reply *leanmq.Reply
}

// String is one line that says what happened.
func (h Handled) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", h.Queue, show(h.Payload))
	if h.Attempt > 1 {
		fmt.Fprintf(&b, ", attempt %d", h.Attempt)
	}
	fmt.Fprintf(&b, ": %s", h.Became)
	switch h.Became {
	case leanmq.OutcomeRetry:
		fmt.Fprintf(&b, " in %v", h.Delay)
	case leanmq.OutcomeDead, leanmq.OutcomeDropped:
		fmt.Fprintf(&b, " (%s)", h.Reason)
	}
	if h.Reply != nil {
		fmt.Fprintf(&b, ", replied %d %s", h.Reply.Status, show(h.Reply.Payload))
	}
	if h.Err != nil {
		fmt.Fprintf(&b, ": %v", h.Err)
	}
	return b.String()
}

// Drained is what a Drain did, in the order in which it happened.
type Drained []Handled

// Done returns those that are done.
func (d Drained) Done() Drained { return d.that(leanmq.OutcomeDone) }

// Retried returns the attempts after which there is to be another one.
func (d Drained) Retried() Drained { return d.that(leanmq.OutcomeRetry) }

// Dead returns those that became dead letters.
func (d Drained) Dead() Drained { return d.that(leanmq.OutcomeDead) }

func (d Drained) that(became leanmq.Outcome) Drained {
	var out Drained
	for _, h := range d {
		if h.Became == became {
			out = append(out, h)
		}
	}
	return out
}

// String has a line for each message.
func (d Drained) String() string {
	if len(d) == 0 {
		return "nothing was ready"
	}
	lines := make([]string, len(d))
	for i, h := range d {
		lines[i] = h.String()
	}
	return strings.Join(lines, "\n")
}

// show quotes a payload, or its beginning.
func show(payload []byte) string {
	const most = 120
	if len(payload) > most {
		return fmt.Sprintf("%q… (%d bytes)", payload[:most], len(payload))
	}
	return fmt.Sprintf("%q", payload)
}
