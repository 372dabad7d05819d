package outbox

import (
	"fmt"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// A RelayOption configures one Relay.
type RelayOption func(*relay)

// Poll sets how often the relay looks for rows while there are none: 1 ms to 1 h. It
// varies by a quarter, so that several relays spread. Default 500 ms.
func Poll(d time.Duration) RelayOption {
	return func(r *relay) {
		r.bound("Poll", d, time.Millisecond, time.Hour)
		r.poll = d
	}
}

// Batch sets how many rows one transaction moves at most: 1 to 10,000. A batch takes
// no further row after 4 MiB of payload. Default 500.
func Batch(n int) RelayOption {
	return func(r *relay) {
		if n < 1 || n > 10_000 {
			r.fail("Batch", fmt.Sprintf("is %d: want 1 to 10000", n))
		}
		r.size = n
	}
}

// Remember sets for how long Redis knows a message after the deletion of its row is
// committed: 1 s to 30 days. The package's documentation says what for. It costs about
// 150 bytes of Redis' memory a message: at 100 messages a second, 54 MB for the
// default of 1 h.
func Remember(d time.Duration) RelayOption {
	return func(r *relay) {
		r.bound("Remember", d, time.Second, known)
		r.remember = d
	}
}

// Queues sets the handle through which the messages of a queue are sent, once for each
// name: for leanmq.MaxLen, or to give queues other names. It must be safe for
// concurrent use. Default: Client.Queue without options. Topics are always those of
// Client.Topic.
func Queues(handle func(name string) *leanmq.Queue) RelayOption {
	return func(r *relay) {
		if handle == nil {
			r.fail("Queues", "is nil: want a function")
			return
		}
		r.handle = handle
	}
}

func (r *relay) bound(field string, d, low, high time.Duration) {
	if d < low || d > high {
		r.fail(field, fmt.Sprintf("is %v: want %v to %v", d, low, high))
	}
}

func (r *relay) fail(field, rule string) {
	if r.err == nil {
		r.err = r.box.wrap("relay", "", &leanmq.InvalidError{Field: field, Rule: rule})
	}
}
