package leanmq

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Unique lets no second message with the same key into the queue until this one is
// done, dead or canceled: the send returns [ErrDuplicate] and the first one's id.
// 1 to 256 bytes. A dead letter that is requeued takes its key again, if nobody
// else has it by then.
func Unique(key string) SendOption {
	return func(c *sendConfig) {
		c.unique = c.uniqueKey("Unique", key)
	}
}

// UniquePayload is Unique with the payload itself as the key.
func UniquePayload() SendOption { return func(c *sendConfig) { c.digest = true } }

// UniqueFor lets no second message with the same key into the queue for d, whatever
// becomes of this one: the send returns [ErrDuplicate] and the first one's id. The
// key has 1 to 256 bytes, d is 1 ms to 30 days. It and [Unique] may be used
// together: the stricter one decides.
func UniqueFor(key string, d time.Duration) SendOption {
	return func(c *sendConfig) {
		if d < time.Millisecond || d > 30*24*time.Hour {
			c.fail(invalid("UniqueFor", "is %v: want 1ms to 30 days", d))
		}
		c.terms.For, c.terms.Unique = c.uniqueKey("UniqueFor", key), d
	}
}

func (c *sendConfig) uniqueKey(field, key string) string {
	if key == "" || len(key) > 256 {
		c.fail(invalid(field, "%.40q has %d bytes: want 1 to 256", key, len(key)))
	}
	return key
}

func payloadKey(payload []byte) string {
	sum := sha256.Sum256(payload)
	return "sha256:" + hex.EncodeToString(sum[:])
}
