package store

import (
	"errors"
	"fmt"
)

// ErrCrossSlot means that what should happen together stands in several slots of a
// Redis Cluster. Nothing was sent.
var ErrCrossSlot = errors.New("not in one slot of the Redis Cluster")

// place is a key, and what it belongs to, for people.
type place struct {
	what, key string
	queue     bool
}

// oneSlot returns an ErrCrossSlot that names the first two places that are apart, if
// any are.
func oneSlot(places []place) error {
	for _, p := range places[min(1, len(places)):] {
		first := places[0]
		if a, b := Slot(first.key), Slot(p.key); a != b {
			return fmt.Errorf("%w: %s is in slot %d and %s in slot %d: "+
				"give queues and topics a service (\"service:name\") and keys its hash tag (\"{service}:key\") to keep them together",
				ErrCrossSlot, first.what, a, p.what, b)
		}
	}
	return nil
}
