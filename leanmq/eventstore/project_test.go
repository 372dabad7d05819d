package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/eventstore"
)

var quick = eventstore.Backoff(leanmq.FixedBackoff(2 * time.Millisecond))

func appendMany(t testing.TB, s *eventstore.Store, from, to int) (want []string) {
	t.Helper()
	for i := from; i < to; i++ {
		a := mustAppend(t, s, fmt.Sprintf("a%d", i%3), eventstore.Any, event("moved", i))
		want = append(want, fmt.Sprintf("a%d/%d moved %d", i%3, a.Version, i))
	}
	return want
}

func TestProjectionGoesOnWhereItStopped(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := eventstore.New(open(t, url), "bank")
		if _, err := s.Projection(t.Context(), "p"); !errors.Is(err, leanmq.ErrNotFound) {
			t.Error(err)
		}
		want := appendMany(t, s, 0, 120)
		var r record
		p := project(t, s, "p", r.done)
		caughtUp(t, s, "p", 120)
		want = append(want, appendMany(t, s, 120, 130)...) // live
		caughtUp(t, s, "p", 130)
		if st := state(t, s, "p"); st.Lag != 0 || st.Owner == "" || st.Position == "" || st.CommittedAt.IsZero() || st.LastError != "" {
			t.Errorf("%+v", st)
		}
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
		want = append(want, appendMany(t, s, 130, 140)...)
		if st := state(t, s, "p"); st.Lag != 10 || st.Owner != "" {
			t.Errorf("stopped: %+v", st)
		}
		other := eventstore.New(open(t, url), "bank") // another process
		p = project(t, other, "p", r.done)
		caughtUp(t, s, "p", 140)
		if got := r.list(); !slices.Equal(got, want) {
			t.Errorf("%d events, want %d: %v", len(got), len(want), got)
		}
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
		all, err := s.Projections(t.Context())
		if err != nil || len(all) != 1 || all[0].Name != "p" || all[0].Handled != 140 {
			t.Errorf("%+v, %v", all, err)
		}
	})
}

func TestProjectionReplays(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := eventstore.New(open(t, url), "bank")
		want := appendMany(t, s, 0, 5)
		var r record
		if err := s.ResetProjection(t.Context(), "p"); !errors.Is(err, leanmq.ErrNotFound) {
			t.Error(err)
		}
		p := project(t, s, "p", r.done, eventstore.Lease(300*time.Millisecond))
		caughtUp(t, s, "p", 5)
		if err := s.ResetProjection(t.Context(), "p"); err != nil { // while it runs
			t.Error(err)
		}
		eventually(t, "it is replayed", func() bool { return len(r.list()) == 10 })
		caughtUp(t, s, "p", 5)
		_ = p.Stop()
		if err := s.ResetProjection(t.Context(), "p"); err != nil { // and while it does not
			t.Error(err)
		}
		if st := state(t, s, "p"); st.Handled != 0 || st.Lag != 5 || st.Position != "" {
			t.Errorf("%+v", st)
		}
		p = project(t, s, "p", r.done)
		caughtUp(t, s, "p", 5)
		_ = p.Stop()
		if got := r.list(); !slices.Equal(got, slices.Concat(want, want, want)) {
			t.Errorf("%v", got)
		}
		if err := s.DeleteProjection(t.Context(), "p"); err != nil {
			t.Error(err)
		}
		if all, err := s.Projections(t.Context()); err != nil || len(all) != 0 {
			t.Error(all, err)
		}
	})
}

// An event that fails, or panics, holds up those behind it, and those only.
func TestFailingEventIsRepeatedInPlace(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := eventstore.New(open(t, url), "bank")
		want := appendMany(t, s, 0, 6)
		var r record
		var broken atomic.Bool
		broken.Store(true)
		var attempts atomic.Int32
		h := func(ctx context.Context, ev *eventstore.Event, commit *eventstore.Commit) error {
			commit.Do("INCR", "{bank}:count")
			if n, _ := eventstore.Decode[int](ev); n == 3 && broken.Load() {
				if attempts.Add(1)%2 == 0 {
					panic("broken")
				}
				return errors.New("broken")
			}
			return r.done(ctx, ev, commit)
		}
		project(t, s, "p", h, quick)
		eventually(t, "the failure shows", func() bool { return state(t, s, "p").Attempts > 3 })
		st := state(t, s, "p")
		if st.Handled != 3 || st.Lag != 3 || !strings.Contains(st.LastError, "broken") || st.Failed == "" || st.Failed == st.Position || st.Owner == "" {
			t.Errorf("%+v", st)
		}
		broken.Store(false)
		caughtUp(t, s, "p", 6)
		if st := state(t, s, "p"); st.LastError != "" || st.Failed != "" || st.Attempts != 0 {
			t.Errorf("mended: %+v", st)
		}
		if got := r.list(); !slices.Equal(got, want) {
			t.Errorf("%v", got)
		}
		if n := rawClient(t, url).Get(t.Context(), "{bank}:count").Val(); n != "6" {
			t.Errorf("what failed attempts wrote was committed: %s", n)
		}
	})
}

func TestProjectionWaitsForItsHandlerAndThenCancelsIt(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := eventstore.New(open(t, url), "bank")
		appendMany(t, s, 0, 3)
		begun, end := make(chan bool, 10), make(chan bool)
		p := project(t, s, "p", func(ctx context.Context, _ *eventstore.Event, _ *eventstore.Commit) error {
			begun <- true
			select {
			case <-end:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}, eventstore.DrainTimeout(100*time.Millisecond))
		<-begun
		p.Cancel()
		if err := p.Wait(); !errors.Is(err, leanmq.ErrDrainTimeout) {
			t.Error(err)
		}
		close(end)
		next := make(chan bool)
		p = project(t, s, "p", func(ctx context.Context, _ *eventstore.Event, _ *eventstore.Commit) error {
			begun <- true
			<-next
			return ctx.Err() // not canceled by the end of Project alone
		})
		<-begun
		p.Cancel()
		close(next)
		if err := p.Wait(); err != nil {
			t.Error(err)
		}
		if st := state(t, s, "p"); st.Handled != 1 || st.Owner != "" || st.LastError != "" {
			t.Errorf("what was handled is committed: %+v", st)
		}
	})
}

// All is gone, the projection too: it begins anew with what comes then.
func TestProjectionSurvivesFlush(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := eventstore.New(open(t, url), "bank")
		appendMany(t, s, 0, 5)
		var r record
		p := project(t, s, "p", r.done, eventstore.Lease(300*time.Millisecond))
		caughtUp(t, s, "p", 5)
		if err := rawClient(t, url).FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		want := appendMany(t, s, 100, 105)
		caughtUp(t, s, "p", 5)
		if got := r.list(); !slices.Equal(got[5:], want) {
			t.Errorf("%v", got)
		}
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// The log alone has lost what the projection has seen.
func TestProjectionStopsAtAPositionThatIsGone(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := eventstore.New(open(t, url), "bank")
		appendMany(t, s, 0, 5)
		var r record
		p := project(t, s, "p", r.done)
		caughtUp(t, s, "p", 5)
		_ = p.Stop()
		at := state(t, s, "p").Position
		if err := rawClient(t, url).XDel(t.Context(), "leanmq:{bank}:bank:topic", at).Err(); err != nil {
			t.Fatal(err)
		}
		p = project(t, s, "p", r.done)
		var gone *eventstore.PositionError
		if err := p.Wait(); !errors.Is(err, eventstore.ErrPosition) || !errors.As(err, &gone) || gone.Position != at || gone.Events != 4 {
			t.Errorf("%v", err)
		}
		if st := state(t, s, "p"); !strings.Contains(st.LastError, at) || st.Owner != "" {
			t.Errorf("%+v", st)
		}
		if err := s.ResetProjection(t.Context(), "p"); err != nil {
			t.Error(err)
		}
		project(t, s, "p", r.done)
		caughtUp(t, s, "p", 4)
	})
}

func TestProjectRefusesWhatIsOutOfBounds(t *testing.T) {
	s := eventstore.New(open(t, "mem://"), "bank")
	h := func(context.Context, *eventstore.Event, *eventstore.Commit) error { return nil }
	ctx := t.Context()
	isInvalid(t, s.Project(ctx, "", h), "projection")
	isInvalid(t, s.Project(ctx, "a\nb", h), "projection")
	isInvalid(t, s.Project(ctx, "p", nil), "handler")
	isInvalid(t, s.Project(ctx, "p", h, eventstore.Lease(0)), "Lease")
	isInvalid(t, s.Project(ctx, "p", h, eventstore.DrainTimeout(0)), "DrainTimeout")
	isInvalid(t, s.Project(ctx, "p", h, eventstore.CommitEvery(0)), "CommitEvery")
	isInvalid(t, s.Project(ctx, "p", h, eventstore.Backoff(nil)), "Backoff")
}
