package eventstore_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/mqtest"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq/eventstore"
)

// The server has done it, and nobody is told.
func TestAppendWhoseReplyIsLostIsMadeOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	proxy := testkit.NewProxy(t)
	s := eventstore.New(mqtest.OpenBy(t, server.URL(), proxy.Dial), "bank")
	direct := eventstore.New(open(t, server.URL()), "bank")
	mustAppend(t, s, "a", eventstore.NoEvents, event("moved", 0)) // the script is known now
	for i, expected := range []eventstore.Expected{eventstore.Exactly(1), eventstore.Any} {
		proxy.Lose(1)
		a := mustAppend(t, s, "a", expected, event("moved", i), event("moved", i))
		if proxy.Losing() {
			t.Error("no reply was lost: the test shows nothing")
		}
		if a.Version != int64(3+2*i) || len(a.Positions) != 2 || a.Repeated {
			t.Errorf("%+v", a)
		}
		if v, err := direct.Version(t.Context(), "a"); v != a.Version || err != nil {
			t.Errorf("version %d, %v", v, err)
		}
	}
}

// The commit is made, and the projection is not told: it must not make it again.
func TestCommitWhoseReplyIsLostIsMadeOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	proxy := testkit.NewProxy(t)
	s := eventstore.New(mqtest.OpenBy(t, server.URL(), proxy.Dial), "bank")
	direct := eventstore.New(open(t, server.URL()), "bank")
	var want []string
	var r record
	p := project(t, s, "p", func(ctx context.Context, ev *eventstore.Event, commit *eventstore.Commit) error {
		proxy.Lose(1) // most likely that of the commit; whichever it is, it must not matter
		commit.Do("INCR", "{bank}:count")
		return r.done(ctx, ev, commit)
	}, eventstore.CommitEvery(1), eventstore.Lease(time.Second))
	for i := range 20 {
		want = append(want, appendMany(t, direct, i, i+1)...)
		caughtUp(t, direct, "p", int64(i+1))
	}
	if n := rawClient(t, server.URL()).Get(t.Context(), "{bank}:count").Val(); n != "20" {
		t.Errorf("%s events were counted, want 20", n)
	}
	if got := slices.Compact(r.list()); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	proxy.Lose(0)
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
}
