package eventstore_test

import (
	"context"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq/eventstore"
)

// On a cluster everything of a store is in one slot.
func TestEventStoreOnACluster(t *testing.T) {
	cluster := redistest.Cluster(t)
	for _, name := range []string{"bank", "shop:orders", "c"} {
		s := eventstore.New(open(t, cluster.URL()), name)
		want := appendMany(t, s, 0, 10)
		if err := s.SaveSnapshot(t.Context(), "a0", 1, 7); err != nil {
			t.Fatal(err)
		}
		var r record
		p := project(t, s, "p", func(ctx context.Context, ev *eventstore.Event, commit *eventstore.Commit) error {
			commit.Do("INCR", "{"+s.Tag()+"}:count")
			return r.done(ctx, ev, commit)
		})
		caughtUp(t, s, "p", 10)
		want = append(want, appendMany(t, s, 10, 12)...)
		caughtUp(t, s, "p", 12)
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
		if got := texts(t, s.ReadType(t.Context(), "#", "")); len(got) != len(want) || len(r.list()) != len(want) {
			t.Errorf("%v, %v, want %v", got, r.list(), want)
		}
		if got := texts(t, s.Read(t.Context(), "a1", 1)); len(got) != 3 {
			t.Error(got)
		}
	}
}
