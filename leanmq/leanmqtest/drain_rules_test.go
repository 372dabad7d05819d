package leanmqtest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/leanmqtest"
)

func TestDrainKeepsTheQueuesRules(t *testing.T) {
	t.Parallel()
	env := leanmqtest.New(t)
	q := env.Queue("q")
	send(t, q, "low", leanmq.Priority(leanmq.Low))
	send(t, q, "normal")
	send(t, q, "urgent", leanmq.Priority(leanmq.Urgent))
	env.RequireSent(q, "urgent", "normal", "low")
	same(t, env.Drain(q, func(context.Context, *leanmq.Message) error {
		if err := q.Pause(t.Context()); err != nil {
			t.Error(err)
		}
		return nil
	}), `q "urgent": done`)
	if err := q.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	same(t, env.Drain(q, done), `q "normal": done`, `q "low": done`)

	// One a minute: the next one is handed out when the clock says so.
	for _, text := range []string{"1", "2", "3"} {
		send(t, q, text, leanmq.OrderingKey("k"))
	}
	env.RequireSent(q, "1", "2", "3")
	perMinute := leanmq.LimitTo(leanmq.Limits{Rate: 1, Per: time.Minute})
	same(t, env.Drain(q, done, perMinute), `q "1": done`)
	same(t, env.Drain(q, done, perMinute))
	env.Advance(time.Minute)
	same(t, env.Drain(q, done, perMinute), `q "2": done`)
	env.Advance(time.Minute)
	same(t, env.Drain(q, func(ctx context.Context, m *leanmq.Message) error {
		if removed, err := q.Cancel(ctx, m.ID); removed || err != nil {
			t.Error(removed, err)
		}
		return leanmq.RetryAfter(0, nil)
	}, perMinute), `q "3": retry in 0s: retry after 0s`)
	env.Advance(time.Minute)
	same(t, env.Drain(q, done), `q "3", attempt 2: dropped (canceled)`)
	env.RequireEmpty(q)
}

// Messages that are due at the same moment come in the order of their sends.
func TestDrainOrdersWhatIsDueTogether(t *testing.T) {
	t.Parallel()
	env := leanmqtest.New(t)
	q := env.Queue("q")
	var want []string
	var many [][]byte
	for i := range 12 {
		send(t, q, fmt.Sprint("single ", i), leanmq.Delay(time.Hour))
		want = append(want, fmt.Sprint("single ", i))
		many = append(many, fmt.Append(nil, "many ", i))
	}
	if _, err := q.SendMany(t.Context(), many, leanmq.Delay(time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, p := range many {
		want = append(want, string(p))
	}
	env.RequireSent(q, want...)
	env.Advance(time.Hour)
	var got []string
	for _, h := range env.Drain(q, done) {
		got = append(got, string(h.Payload))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// What is put around handlers, and what looks on, is the same as in a Consume.
func TestDrainRunsMiddlewareAndHooks(t *testing.T) {
	t.Parallel()
	var told []string
	around := func(name string) leanmq.Middleware {
		return func(next leanmq.Handler) leanmq.Handler {
			return func(ctx context.Context, m *leanmq.Message) error {
				told = append(told, name)
				return next(ctx, m)
			}
		}
	}
	env := leanmqtest.New(t, leanmq.UseAll(around("client")), leanmq.Observe(leanmq.Hooks{
		Handled: func(h leanmq.HandleInfo) { told = append(told, string(h.Outcome)) },
		Dead:    func(d leanmq.DeadInfo) { told = append(told, d.Reason) },
	}))
	q := env.Queue("q")
	send(t, q, "m")
	drained := env.Drain(q, func(ctx context.Context, _ *leanmq.Message) error {
		<-ctx.Done()
		return leanmq.Reject(context.Cause(ctx))
	}, leanmq.Use(around("consumer")), leanmq.MaxRunTime(5*time.Millisecond))
	if len(drained.Dead()) != 1 || !errors.Is(drained[0].Err, leanmq.ErrTimeout) {
		t.Errorf("%v", drained)
	}
	if want := []string{"client", "consumer", "rejected", "dead"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	if text := failure(t, func(e *leanmqtest.Env) { e.Drain(e.Queue("q"), done, leanmq.Use(nil)) }); !strings.Contains(text, "middleware 0 is nil") {
		t.Error(text)
	}
}

// What is sealed is shown open.
func TestSealedPayloads(t *testing.T) {
	t.Parallel()
	env := leanmqtest.New(t, leanmq.Compress(1))
	q := env.Queue("q")
	long := strings.Repeat("long ", 1000)
	send(t, q, long)
	env.RequireSent(q, long)
	if got := env.Drain(q, done); len(got) != 1 || string(got[0].Payload) != long {
		t.Error(got)
	}
}

// Periodic jobs go by the same clock; what was missed between two looks is run once,
// unless the job wants all of it.
func TestDrainRunsPeriodicJobs(t *testing.T) {
	t.Parallel()
	env := leanmqtest.New(t)
	q := env.Queue("q")
	if err := q.SetPeriodic(t.Context(), leanmq.Periodic{Name: "report", Every: time.Hour, Payload: []byte("report")}); err != nil {
		t.Fatal(err)
	}
	env.RequireEmpty(q)
	same(t, env.Drain(q, done))
	for range 3 {
		env.Advance(time.Hour)
		same(t, env.Drain(q, done), `q "report": done`)
	}
	env.Advance(24 * time.Hour)
	same(t, env.Drain(q, done), `q "report": done`)
}
