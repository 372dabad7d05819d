package outbox_test

import (
	"bytes"
	"context"
	"database/sql"
	"maps"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/leanmq/leanmq/internal/mqtest"
	"github.com/leanmq/leanmq/internal/pgtest"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/outbox"
)

func TestMain(m *testing.M) {
	testkit.Become(childRelayEnv, childRelay)
	redistest.Main(pgtest.With(m))
}

// forEachStore runs a test against both stores, with a database of its own each.
func forEachStore(t *testing.T, test func(t *testing.T, mq *leanmq.Client, db *sql.DB)) {
	t.Helper()
	forEachURL(t, func(t *testing.T, url string) {
		test(t, open(t, url), database(t, pgtest.Database(t)))
	})
}

// forEachURL is redistest.ForEachStore, one store after the other: what tests look at
// (onStep) is one for the package.
func forEachURL(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	var one sync.Mutex
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		one.Lock()
		t.Cleanup(one.Unlock)
		test(t, url)
	})
}

var (
	open       = mqtest.Open
	info       = mqtest.Info
	eventually = testkit.Eventually
)

func database(t testing.TB, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", url)
	return testkit.Opened(t, db, err)
}

// create makes an outbox whose table is there.
func create(t testing.TB, db *sql.DB) *outbox.Box {
	t.Helper()
	box := outbox.New()
	if err := box.Create(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return box
}

// add sends in a transaction of its own.
func add(t testing.TB, box *outbox.Box, db *sql.DB, queue, text string, opts ...leanmq.SendOption) string {
	t.Helper()
	return commit(t, db, func(tx *sql.Tx) (string, error) { return box.Send(t.Context(), tx, queue, []byte(text), opts...) })
}

// commit calls f with a transaction of its own, and returns the id of what f sends.
func commit(t testing.TB, db *sql.DB, f func(tx *sql.Tx) (id string, err error)) string {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() // after Commit it does nothing
	id, err := f(tx)
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return id
}

// start starts a Relay that ends with the test, if Stop does not end it before.
func start(t testing.TB, box *outbox.Box, db *sql.DB, mq *leanmq.Client, opts ...outbox.RelayOption) *testkit.Running {
	t.Helper()
	opts = append([]outbox.RelayOption{outbox.Poll(20 * time.Millisecond)}, opts...)
	r := testkit.Start(t, "Relay", func(ctx context.Context) error { return box.Relay(ctx, db, mq, opts...) })
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func boxInfo(t testing.TB, box *outbox.Box, db outbox.DB) outbox.Info {
	t.Helper()
	i, err := box.Info(context.Background(), db)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// moved waits until no row waits.
func moved(t testing.TB, box *outbox.Box, db *sql.DB) {
	t.Helper()
	eventually(t, "no row waits", func() bool { return boxInfo(t, box, db).Waiting == 0 })
}

func stuck(t testing.TB, box *outbox.Box, db outbox.DB) (all []*outbox.Stuck) {
	t.Helper()
	for s, err := range box.Stuck(context.Background(), db) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// seen is what a handler saw of a message: the message itself is the handler's only
// until it returns.
type seen struct {
	ID, Target       string
	Payload          []byte
	Header           leanmq.Header
	Attempt          int
	SentAt, Deadline time.Time
}

// take consumes n messages, one at a time, and returns them.
func take(t testing.TB, q *leanmq.Queue, n int) (all []seen) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out := make(chan seen)
	result := make(chan error, 1)
	go func() {
		result <- q.Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
			out <- seen{m.ID, m.Target, bytes.Clone(m.Payload), maps.Clone(m.Header), m.Attempt, m.SentAt, m.Deadline}
			return nil
		}, leanmq.Concurrency(1))
	}()
	for len(all) < n {
		select {
		case m := <-out:
			all = append(all, m)
		case <-time.After(time.Minute):
			t.Fatalf("%d messages after a minute, want %d", len(all), n)
		}
	}
	cancel()
	for {
		select {
		case m := <-out:
			t.Errorf("one message more than %d: %s", n, m.Payload)
		case err := <-result:
			if err != nil {
				t.Error(err)
			}
			return all
		}
	}
}

func texts(ms []seen) (out []string) {
	for _, m := range ms {
		out = append(out, string(m.Payload))
	}
	return out
}
