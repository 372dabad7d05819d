package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"

	"github.com/leanmq/leanmq/internal/mqtest"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/eventstore"
)

func TestMain(m *testing.M) {
	testkit.Become(workerEnv, worker)
	redistest.Main(m)
}

var (
	open       = mqtest.Open
	rawClient  = redistest.Client // somebody else's program
	eventually = testkit.Eventually
)

// event is one whose data is a number.
func event(typ string, n int) eventstore.NewEvent { return eventstore.NewEvent{Type: typ, Data: n} }

func mustAppend(t testing.TB, s *eventstore.Store, aggregate string, expected eventstore.Expected, events ...eventstore.NewEvent) eventstore.Appended {
	t.Helper()
	a, err := s.Append(t.Context(), aggregate, expected, events...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// texts are "aggregate/version type data" of events.
func texts(t testing.TB, events iter.Seq2[*eventstore.Event, error]) []string {
	t.Helper()
	out := []string{}
	for ev, err := range events {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, text(ev))
	}
	return out
}

func text(ev *eventstore.Event) string {
	return fmt.Sprintf("%s/%d %s %s", ev.Aggregate, ev.Version, ev.Type, ev.Data())
}

// firstError is what an iterator ends with, and how many events came before it.
func firstError(events iter.Seq2[*eventstore.Event, error]) (n int, err error) {
	for _, err := range events {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func isInvalid(t testing.TB, err error, field string) {
	t.Helper()
	var bad *leanmq.InvalidError
	if !errors.Is(err, leanmq.ErrInvalid) || !errors.As(err, &bad) || bad.Field != field {
		t.Errorf("got %v, want an InvalidError of %s", err, field)
	}
}

// project starts a Project that ends with the test, if Stop does not end it before.
func project(t testing.TB, s *eventstore.Store, name string, h eventstore.Handler, opts ...eventstore.ProjectOption) *testkit.Running {
	t.Helper()
	return testkit.Start(t, "Project", func(ctx context.Context) error { return s.Project(ctx, name, h, opts...) })
}

// record notes what a handler is given.
type record struct {
	mu  sync.Mutex
	all []string
}

func (r *record) done(_ context.Context, ev *eventstore.Event, _ *eventstore.Commit) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, text(ev))
	return nil
}

func (r *record) list() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.all...)
}

func state(t testing.TB, s *eventstore.Store, name string) eventstore.Projection {
	t.Helper()
	p, err := s.Projection(context.Background(), name)
	if err != nil && !errors.Is(err, leanmq.ErrNotFound) {
		t.Fatal(err)
	}
	return p
}

// caughtUp waits until a projection has committed n events.
func caughtUp(t testing.TB, s *eventstore.Store, name string, n int64) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s has handled %d events", name, n), func() bool { return state(t, s, name).Handled == n })
}
