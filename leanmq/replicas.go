package leanmq

import (
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

// NotReplicatedError says how many replicas are known to have a message that was
// sent with [Replicas]. It is an [ErrNotReplicated].
type NotReplicatedError = store.NotReplicatedError

// Replicas has the send return when n replicas of the server have the message, or
// after timeout (1 ms to 1 min): what they have survives the loss of the server, if
// one of them takes over. n is 1 to 100.
//
// With fewer replicas the send returns the message's id and [ErrNotReplicated]: the
// message was sent and will be delivered, so that sending it again makes two of it,
// unless it has an [ID].
//
// It is one WAIT for all that is sent at the same time, and costs the round trip
// from the server to its replicas. It is not consensus: a fail-over may choose a
// replica that does not have the message, which gets likelier the fewer of them n
// is, and what replicas have on disk is up to them. To have the server itself
// refuse what it cannot replicate, see min-replicas-to-write in redis.conf.
func Replicas(n int, timeout time.Duration) SendOption {
	return func(c *sendConfig) {
		if n < 1 || n > 100 {
			c.fail(invalid("Replicas", "n is %d: want 1 to 100", n))
		}
		if timeout < time.Millisecond || timeout > time.Minute {
			c.fail(invalid("Replicas", "timeout is %v: want 1ms to 1min", timeout))
		}
		c.terms.Wait = store.Wait{Replicas: n, Timeout: timeout}
	}
}
