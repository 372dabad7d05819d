package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq/eventstore"
)

func TestCommitRefusesWhatCannotBe(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := eventstore.New(open(t, url), "bank")
		appendMany(t, s, 0, 1)
		var do atomic.Value
		do.Store(func(c *eventstore.Commit) { c.Do("INCR", "elsewhere") })
		var once sync.Mutex
		p := project(t, s, "p", func(_ context.Context, _ *eventstore.Event, commit *eventstore.Commit) error {
			once.Lock()
			defer once.Unlock()
			do.Load().(func(*eventstore.Commit))(commit)
			return nil
		}, quick)
		shows := func(text string) {
			t.Helper()
			eventually(t, "the status shows "+text, func() bool { return strings.Contains(state(t, s, "p").LastError, text) })
		}
		shows("put {bank} into it")
		do.Store(func(c *eventstore.Commit) { c.Do("", "{bank}:x") })
		shows("no name")
		do.Store(func(c *eventstore.Commit) { c.Do("RPUSH", "{bank}:x", make([]any, 5000)...) })
		shows("4000")
		do.Store(func(c *eventstore.Commit) {
			c.Do("SET", "{bank}:text", "x")
			c.Do("INCR", "{bank}:text")
		})
		var refused *eventstore.CommandError
		if err := p.Wait(); !errors.As(err, &refused) || fmt.Sprint(refused.Command) != "[INCR {bank}:text]" {
			t.Errorf("%v", err)
		}
		if st := state(t, s, "p"); st.Handled != 0 || !strings.Contains(st.LastError, "INCR") || st.Owner != "" {
			t.Errorf("%+v", st)
		}
	})
}

// More commands than go into one commit.
func TestManyCommands(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := eventstore.New(open(t, url), "bank")
		appendMany(t, s, 0, 30)
		project(t, s, "p", func(_ context.Context, ev *eventstore.Event, commit *eventstore.Commit) error {
			for i := range 500 {
				commit.Do("HINCRBY", "{bank}:counts", i%7, 1)
			}
			commit.Do("RPUSH", "{bank}:list-"+ev.Aggregate, slices.Repeat([]any{[]byte("x")}, 3000)...)
			return nil
		})
		caughtUp(t, s, "p", 30)
		c := rawClient(t, url)
		sum := 0
		for _, v := range c.HGetAll(t.Context(), "{bank}:counts").Val() {
			var n int
			_, _ = fmt.Sscan(v, &n)
			sum += n
		}
		if n := c.LLen(t.Context(), "{bank}:list-a1").Val(); sum != 30*500 || n != 10*3000 {
			t.Errorf("%d counted, %d in the list", sum, n)
		}
	})
}
