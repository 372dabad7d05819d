package eventstore_test

import (
	"errors"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq/eventstore"
)

func TestSnapshots(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := eventstore.New(open(t, url), "bank")
		ctx := t.Context()
		sum := func(state *int, ev *eventstore.Event) error {
			n, err := eventstore.Decode[int](ev)
			*state += n
			return err
		}
		load := func(wantState int, wantVersion int64) {
			t.Helper()
			state, version, err := eventstore.Load(ctx, s, "a", sum)
			if state != wantState || version != wantVersion || err != nil {
				t.Errorf("%d at %d, %v, want %d at %d", state, version, err, wantState, wantVersion)
			}
		}
		load(0, 0)
		isInvalid(t, s.SaveSnapshot(ctx, "a", 1, 1), "version")
		isInvalid(t, s.SaveSnapshot(ctx, "a", 0, 1), "version")
		mustAppend(t, s, "a", eventstore.NoEvents, event("moved", 1), event("moved", 2), event("moved", 4))
		load(7, 3)
		isInvalid(t, s.SaveSnapshot(ctx, "a", 4, 1), "version")
		save := func(version int64, state int) {
			t.Helper()
			if err := s.SaveSnapshot(ctx, "a", version, state); err != nil {
				t.Error(err)
			}
		}
		save(2, 1003) // recognisable
		load(1007, 3)
		save(1, 5000) // older: of a slower process
		save(2, 5000)
		load(1007, 3)
		save(3, 2007)
		load(2007, 3)
		mustAppend(t, s, "a", eventstore.Exactly(3), event("moved", 1))
		load(2008, 4)
		for range 2 {
			if err := s.DropSnapshot(ctx, "a"); err != nil {
				t.Error(err)
			}
		}
		load(8, 4)

		broken := errors.New("broken")
		if _, _, err := eventstore.Load(ctx, s, "a", func(*int, *eventstore.Event) error { return broken }); !errors.Is(err, broken) {
			t.Error(err)
		}
		isInvalid(t, s.SaveSnapshot(ctx, "", 1, 1), "aggregate")
	})
}
