package store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// ErrCrossSlot means that what should happen together stands in several slots of a
// Redis Cluster. Nothing was sent.
var ErrCrossSlot = errors.New("not in one slot of the Redis Cluster")

// place is a key, and what it belongs to, for people.
type place struct{ what, key string }

// oneSlot returns an ErrCrossSlot that names the first two places that are apart, if
// any are.
func oneSlot(places []place) error {
	for _, p := range places[min(1, len(places)):] {
		first := places[0]
		if a, b := slotOf(first.key), slotOf(p.key); a != b {
			return fmt.Errorf("%w: %s is in slot %d and %s in slot %d: "+
				"give queues a service (\"service:name\") and keys its hash tag (\"{service}:key\") to keep them together",
				ErrCrossSlot, first.what, a, p.what, b)
		}
	}
	return nil
}

// slotOf is the slot of a Redis Cluster that a key is in: that of its hash tag, the
// text between its first { and the next }, if there is one that is not empty.
func slotOf(key string) uint16 {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			key = tag
		}
	}
	var crc uint16 // CRC-16/XMODEM
	for _, b := range []byte(key) {
		crc ^= uint16(b) << 8
		for range 8 {
			if carry := crc&0x8000 != 0; carry {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc % 16384
}

// clustered reports whether the server is a Redis Cluster.
func (s *Store) clustered() bool {
	var rdb redis.UniversalClient = s.rdb
	_, ok := rdb.(*redis.ClusterClient)
	return ok
}
