package eventstore

import (
	"fmt"
	"slices"
	"strings"

	"github.com/leanmq/leanmq/internal/store"
)

const (
	// maxArgs bounds a command: scripts pass arguments on the stack.
	maxArgs = 4000
	// fullArgs is how many arguments are committed at once, and a few more.
	fullArgs = 10_000
)

// Commit collects what a projection's handler writes into Redis, which happens together
// with the projection's moving on: both or neither, and nothing at all in a process that
// lost its lease. What a failed attempt has collected is dropped. It is the handler's
// until that returns.
type Commit struct {
	s     *Store
	epoch int64
	cmds  []store.ProjectionCommand
	args  int
	err   error // of the first command that cannot be
}

// Do adds a command whose first argument is its only key, as with most of those that
// write: HSET, HINCRBY, ZADD, INCR, DEL of one key. The key must be in the slot of the
// store: it has its hash tag in it, as in "{bank}:balances" (see [Store.Tag]). A key that
// has not, or more than 4000 arguments, makes the handler's attempt fail.
//
// Replies are not at hand. Redis does not undo, so the commands should be ones that
// cannot fail: one that does ends the projection with a [*CommandError].
func (c *Commit) Do(name, key string, args ...any) {
	switch {
	case c.err != nil:
	case name == "":
		c.err = invalid("command", "has no name")
	case hashTag(key) != c.s.Tag():
		c.err = invalid("key", "%.80q is not in the slot of the store: put {%s} into it", key, c.s.Tag())
	case len(args) > maxArgs:
		c.err = invalid("command", "%s has %d arguments: at most %d are allowed", name, len(args), maxArgs)
	}
	if c.err != nil {
		return
	}
	all := append(make([]any, 0, 2+len(args)), name, key)
	for _, a := range args {
		switch v := a.(type) {
		case string:
			all = append(all, v)
		case []byte:
			all = append(all, slices.Clone(v))
		default:
			all = append(all, fmt.Sprint(v))
		}
	}
	c.cmds = append(c.cmds, store.ProjectionCommand{Key: key, Args: all})
	c.args += len(all)
}

// Fence is a number that grows whenever another process takes the projection over. A
// system that remembers the highest one it has seen, and refuses lower ones, is safe from
// a process that was cut off and does not know it yet.
func (c *Commit) Fence() int64 { return c.epoch }

// hashTag is the part of a key that says which slot it is in.
func hashTag(key string) string {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			return tag
		}
	}
	return key
}
