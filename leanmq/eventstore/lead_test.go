package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/eventstore"
)

// One process runs it; when it goes, another one takes over at once, when it is cut off,
// within a lease.
func TestOneProcessRunsAProjection(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := eventstore.New(open(t, url), "bank")
		var runs, most, last atomic.Int32
		start := func(n int32) *testkit.Running {
			return project(t, eventstore.New(open(t, url), "bank"), "p", func(context.Context, *eventstore.Event, *eventstore.Commit) error {
				most.Store(max(most.Load(), runs.Add(1)))
				defer runs.Add(-1)
				last.Store(n)
				return nil
			}, eventstore.Lease(time.Hour))
		}
		ps := []*testkit.Running{start(0), start(1), start(2)}
		handled := 0
		for range 3 {
			appendMany(t, s, handled, handled+20)
			handled += 20
			caughtUp(t, s, "p", int64(handled))
			if err := ps[last.Load()].Stop(); err != nil { // those that stand by have heard of it
				t.Error(err)
			}
		}
		if most.Load() != 1 {
			t.Errorf("%d handlers at once", most.Load())
		}
	})
}

// A process that was cut off goes on with its handler, and commits nothing.
func TestACutOffProcessCommitsNothing(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := eventstore.New(open(t, url), "bank")
		c := rawClient(t, url)
		const key = "leanmq:{bank}:bank:topic:events:projection:p"
		begun, cause := make(chan int64), make(chan error)
		var stale atomic.Bool
		stale.Store(true)
		h := func(ctx context.Context, ev *eventstore.Event, commit *eventstore.Commit) error {
			commit.Do("RPUSH", "{bank}:seen", ev.Position, commit.Fence())
			if stale.CompareAndSwap(true, false) {
				begun <- commit.Fence()
				<-ctx.Done()
				cause <- context.Cause(ctx)
			}
			return nil
		}
		position := mustAppend(t, s, "a", eventstore.Any, event("moved", 1)).Positions[0]
		project(t, s, "p", h, eventstore.Lease(300*time.Millisecond))
		fence := testkit.Receive(t, "the handler runs", begun)
		// What a partition does to its lease, without the wait.
		if err := c.HSet(t.Context(), key, "owner", "another one", "until", 0, "epoch", fence+1).Err(); err != nil {
			t.Fatal(err)
		}
		if err := testkit.Receive(t, "the handler's context ends", cause); !errors.Is(err, leanmq.ErrLeaseLost) {
			t.Error(err)
		}
		caughtUp(t, s, "p", 1)
		if got := c.LRange(t.Context(), "{bank}:seen", 0, -1).Val(); !slices.Equal(got, []string{position, fmt.Sprint(fence + 2)}) {
			t.Errorf("%v, want it once, with fence %d", got, fence+2)
		}
	})
}

// A clock that was set back makes no lease last longer than it was for.
func TestProjectionIsTakenOverAfterTheClockWasSetBack(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := eventstore.New(open(t, url), "bank")
		appendMany(t, s, 0, 3)
		var r record
		p := project(t, s, "p", r.done, eventstore.Lease(100*time.Millisecond))
		caughtUp(t, s, "p", 3)
		if err := p.Stop(); err != nil {
			t.Fatal(err)
		}
		// As if a process that died had got its lease before.
		err := redistest.Client(t, url).HSet(t.Context(), "leanmq:{bank}:bank:topic:events:projection:p",
			"owner", "dead", "until", time.Now().Add(time.Hour).UnixMilli()).Err()
		if err != nil {
			t.Fatal(err)
		}
		appendMany(t, s, 3, 5)
		project(t, s, "p", r.done, eventstore.Lease(100*time.Millisecond))
		caughtUp(t, s, "p", 5)
	})
}
