package store

import (
	"strings"
	"testing"
)

// What goes along with replies, such as results, must not stay in the memory that is used
// again.
func TestNoCommandStaysInTheMemoryOfAdditions(t *testing.T) {
	p := lone(t, answering(t, func(_ int, command string) string {
		switch {
		case strings.HasPrefix(command, "EVALSHA"):
			return "*0\r\n"
		case strings.HasPrefix(command, "XADD"):
			return "$-1\r\n"
		}
		return answerBasics(command)
	}))
	keys, err := Keys{"leanmq"}.Queue("q")
	if err != nil {
		t.Fatal(err)
	}
	q := newQueue(&Store{pipe: p, keys: Keys{"leanmq"}}, keys)
	newAdditions(16).recycle() // there is more room than for the replies
	st := Settlement{Replies: make([]Reply, 2), Finished: []Finished{{ID: "1-1", Result: "a large one"}}}
	if _, err := q.Settle(t.Context(), "w", &st); err != nil {
		t.Fatal(err)
	}
	as := newAdditions(2)
	for i, cmd := range as.cmds[:cap(as.cmds)] {
		if cmd != nil {
			t.Errorf("command %d stays: %.60v", i, cmd.Args())
		}
	}
}
