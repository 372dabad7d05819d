package leanmq

import (
	"strconv"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

// Attempt is a failed attempt to handle a message.
type Attempt struct {
	At     time.Time // when it failed, by the server's clock
	Worker string    // the consumer: host, process and a random part
	Error  string    // at most the first 256 bytes
}

// MaxHistory is how many failed attempts a message remembers.
const MaxHistory = 5

// extra is what only some messages carry.
type extra struct {
	policy  string // see formatPolicy
	history string // see remember in lib.lua
}

func newExtra(e *store.Entry) *extra {
	if e.Policy == "" && e.History == "" {
		return nil
	}
	return &extra{policy: e.Policy, history: e.History}
}

// History returns the last failed attempts, up to [MaxHistory], oldest first. A
// dead letter's includes the one it died of; the end of one that killed its
// workers is in it as well, though it is not counted as an attempt. Requeueing
// forgets it.
func (m *Message) History() []Attempt {
	if m.extra == nil || m.extra.history == "" {
		return nil
	}
	fields, err := store.UnpackFields(m.extra.history)
	if err != nil {
		return nil // not ours
	}
	var out []Attempt
	for ; len(fields) >= 3; fields = fields[3:] {
		ms, err := strconv.ParseInt(string(fields[0]), 10, 64)
		if err != nil {
			return nil
		}
		out = append(out, Attempt{At: time.UnixMilli(ms), Worker: string(fields[1]), Error: string(fields[2])})
	}
	return out
}
