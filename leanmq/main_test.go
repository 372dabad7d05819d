package leanmq_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/mqtest"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

func TestMain(m *testing.M) {
	testkit.Become(crashWorkerEnv, crashWorker)
	testkit.Become(orderWorkerEnv, orderWorker)
	testkit.Become(txWorkerEnv, txWorker)
	flag.Parse()
	// The parallel ones have servers of their own and mostly wait for them.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	redistest.Main(m)
}

var (
	open        = mqtest.Open
	send        = mqtest.Send
	info        = mqtest.Info
	deadLetters = mqtest.DeadLetters
	rawClient   = redistest.Client // somebody else's program
	eventually  = testkit.Eventually
	within      = testkit.Within
)

func receive[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	return testkit.Receive(t, what, c)
}

// consume starts a Consume that ends with the test, if Stop does not end it before.
func consume(t testing.TB, q *leanmq.Queue, h leanmq.Handler, opts ...leanmq.ConsumeOption) *testkit.Running {
	t.Helper()
	return testkit.Start(t, "Consume", func(ctx context.Context) error { return q.Consume(ctx, h, opts...) })
}

// seen is what a handler saw of a message: the message itself is the handler's
// only until it returns.
type seen struct {
	ID, Queue, Payload, Target, LastError string
	Header                                leanmq.Header
	Attempt, Deliveries                   int
	SentAt, Deadline, At                  time.Time
}

func see(m *leanmq.Message) seen {
	return seen{
		ID: m.ID, Queue: m.Queue, Payload: string(m.Payload), Target: m.Target, LastError: m.LastError,
		Header: maps.Clone(m.Header), Attempt: m.Attempt, Deliveries: m.Deliveries,
		SentAt: m.SentAt, Deadline: m.Deadline, At: time.Now(),
	}
}

// record notes what handlers see.
type record struct {
	mu  sync.Mutex
	all []seen
}

// done is a handler that notes a message and is done.
func (r *record) done(_ context.Context, m *leanmq.Message) error {
	r.add(m)
	return nil
}

func (r *record) add(m *leanmq.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, see(m))
}

func (r *record) list() []seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

func (r *record) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.all)
}

func (r *record) payloads() []string {
	var out []string
	for _, s := range r.list() {
		out = append(out, s.Payload)
	}
	return out
}

func (r *record) wait(t testing.TB, n int) []seen {
	t.Helper()
	begin := time.Now()
	for r.count() < n {
		if time.Since(begin) > testkit.Patience {
			t.Fatalf("%d messages were handled after %v, want %d", r.count(), testkit.Patience, n)
		}
		time.Sleep(time.Millisecond)
	}
	return r.list()
}

// sendMany sends n messages, whose payloads are their numbers.
func sendMany(t testing.TB, q *leanmq.Queue, n int, opts ...leanmq.SendOption) {
	t.Helper()
	var payloads [][]byte
	for i := range n {
		payloads = append(payloads, fmt.Append(nil, i))
	}
	if _, err := q.SendMany(t.Context(), payloads, opts...); err != nil {
		t.Fatal(err)
	}
}

// becomesEmpty checks that the queue ends up without any message. A message that
// moves while they are counted is missed: hence three times.
func becomesEmpty(t testing.TB, q *leanmq.Queue) {
	t.Helper()
	var i leanmq.QueueInfo
	empty := 0
	for begin := time.Now(); time.Since(begin) < testkit.Patience; time.Sleep(time.Millisecond) {
		if i = info(t, q); i.Ready+i.InFlight+i.Scheduled+i.Blocked+i.Dead > 0 {
			empty = 0
		} else if empty++; empty == 3 {
			return
		}
	}
	t.Fatalf("still not empty: %+v", i)
}

// oneDead waits for the queue's only dead letter.
func oneDead(t testing.TB, q *leanmq.Queue) *leanmq.DeadLetter {
	t.Helper()
	eventually(t, "a dead letter", func() bool { return info(t, q).Dead > 0 })
	ds := deadLetters(t, q)
	if len(ds) != 1 {
		t.Fatalf("%d dead letters, want one", len(ds))
	}
	return ds[0]
}

// isInvalid checks that err names the field that is out of bounds, and where.
func isInvalid(t testing.TB, err error, field string) {
	t.Helper()
	var bad *leanmq.InvalidError
	var where *leanmq.Error
	switch {
	case !errors.Is(err, leanmq.ErrInvalid) || !errors.As(err, &bad) || !errors.As(err, &where):
		t.Errorf("got %v, want an InvalidError of %s", err, field)
	case bad.Field != field || bad.Rule == "":
		t.Errorf("%v: the field is %q, want %q", err, bad.Field, field)
	}
}

// quick is a retry policy for tests.
var quick = leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 3, MinBackoff: 2 * time.Millisecond, MaxBackoff: 10 * time.Millisecond})

// expire waits until a message with this time to live has expired for everybody: a
// client knows the server's clock as exactly as its round trip was short, and on a busy
// machine some are not.
func expire(ttl time.Duration) { time.Sleep(ttl + 100*time.Millisecond) }

// median of durations; one slow moment of the machine does not fail a test.
func median(ds []time.Duration) time.Duration {
	ds = slices.Sorted(slices.Values(ds))
	return ds[len(ds)/2]
}
