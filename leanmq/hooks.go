package leanmq

import (
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Hooks are told what happens, for metrics and traces. They cannot change it: for
// that there is [Middleware] and [SendMiddleware].
//
// They are called synchronously, by several goroutines at once, and hold up what
// they are told of: they have to be fast. One that panics is logged once, and
// otherwise does no harm. A nil one costs nothing.
type Hooks struct {
	// Sent: a Send, SendMany, or the sending of an [Inbox.Request] has returned. A
	// call that was refused for its arguments, before anything was tried, is none.
	Sent func(SendInfo)
	// Handled: a handler has returned, or a pulled message was settled, and Redis
	// has taken note of what is to become of the message. Once for each run.
	Handled func(HandleInfo)
	// Dead: a message was dead-lettered by this process. Once for each.
	Dead func(DeadInfo)
	// Expired: a message's time was up, and it was dropped; a handler may have
	// begun with it. Once for each.
	Expired func(MessageInfo)
	// LeaseLost: this process held a message that another one has now. It may be
	// that no handler had begun with it.
	LeaseLost func(MessageInfo)
	// Shared: this process has another share of the partitions of a queue. The share
	// is what it is to consume from now on; see [PartitionedQueue.Consume].
	Shared func(ShareInfo)
	// Outage: a loop of this client has failed to reach Redis, or has reached it
	// again. One that is stopped before that does not tell the end.
	Outage func(OutageInfo)
}

// Observe adds hooks. Several Observe add up, called in their order.
func Observe(h Hooks) Option {
	return func(c *clientConfig) { c.hooks = append(c.hooks, h) }
}

// SendInfo tells of one call that sends.
type SendInfo struct {
	Queue string
	// Count is how many messages the call had, and Sent how many of them it sent:
	// not those that were refused, and no duplicates. One whose outcome is unknown
	// does not count as sent.
	Count, Sent int
	Took        time.Duration
	Err         error // what the call returns
}

// Outcome is what became of a message that a handler had.
type Outcome string

// All outcomes.
const (
	// OutcomeDone: settled, by success or by an answer to its caller.
	OutcomeDone Outcome = "done"
	// OutcomeRetry: it waits for its next attempt.
	OutcomeRetry Outcome = "retry"
	// OutcomeDead: dead-lettered.
	OutcomeDead Outcome = "dead"
	// OutcomeDropped: its time was up, or it was canceled, while it was handled.
	OutcomeDropped Outcome = "dropped"
	// OutcomeHandedBack: the drain was over before the handler was, or before
	// Redis was back to settle it. It is delivered again, to another worker.
	OutcomeHandedBack Outcome = "handed back"
	// OutcomeLost: another worker had taken it over. What it says counts.
	OutcomeLost Outcome = "lost"
)

// HandleInfo tells of one run of a handler, or of one pulled message.
type HandleInfo struct {
	Queue, ID string
	Attempt   int
	Outcome   Outcome
	// Waited is the time from the send to the beginning of the run, earlier
	// attempts included, by the server's clock. Took is that of the run, or for a
	// pulled message from Receive to the settling.
	Waited, Took time.Duration
	Err          error // what the handler returned
}

// MessageInfo names a message. Attempt is 0 where no handler could see it.
type MessageInfo struct {
	Queue, ID string
	Attempt   int
}

// DeadInfo tells of a dead letter.
type DeadInfo struct {
	MessageInfo        // without ID and Attempt when the reason is ReasonCrashed
	Reason      string // one of the Reason constants
	Error       string // the last error
}

// OutageInfo tells that Redis is failing, or is back.
type OutageInfo struct {
	// What is the loop that noticed: "join", "read", "settle" or "replies". Each
	// tells for itself. Queue is empty where it serves several.
	What, Queue string
	Err         error         // the failure; nil when it is over
	Lasted      time.Duration // when it is over
}

// ShareInfo tells of the partitions that are a process's.
type ShareInfo struct {
	Queue      string
	Members    int   // clients that share the partitions out
	Partitions int   // there are
	Mine       []int // the numbers of those that are this process's, from 0
}

// hooks are those of all Observe options.
type hooks struct {
	sent      []func(SendInfo)
	handled   []func(HandleInfo)
	dead      []func(DeadInfo)
	expired   []func(MessageInfo)
	leaseLost []func(MessageInfo)
	shared    []func(ShareInfo)
	outage    []func(OutageInfo)
}

// newHooks returns nil when there are none.
func newHooks(all []Hooks, log zerolog.Logger) *hooks {
	if len(all) == 0 {
		return nil
	}
	h := &hooks{}
	for _, one := range all {
		h.sent = addHook(h.sent, one.Sent, "Sent", log)
		h.handled = addHook(h.handled, one.Handled, "Handled", log)
		h.dead = addHook(h.dead, one.Dead, "Dead", log)
		h.expired = addHook(h.expired, one.Expired, "Expired", log)
		h.leaseLost = addHook(h.leaseLost, one.LeaseLost, "LeaseLost", log)
		h.shared = addHook(h.shared, one.Shared, "Shared", log)
		h.outage = addHook(h.outage, one.Outage, "Outage", log)
	}
	return h
}

// addHook adds f, guarded against its panics, unless it is nil.
func addHook[T any](to []func(T), f func(T), name string, log zerolog.Logger) []func(T) {
	if f == nil {
		return to
	}
	var once sync.Once
	return append(to, func(info T) {
		defer func() {
			if v := recover(); v != nil {
				once.Do(func() {
					log.Error().Str("hook", name).Str("panic", fmt.Sprint(v)).Str("stack", string(debug.Stack())).
						Msg("a hook panicked; it goes on being called, and this is not logged again")
				})
			}
		}()
		f(info)
	})
}

func tell[T any](hooks []func(T), info T) {
	for _, f := range hooks {
		f(info)
	}
}
