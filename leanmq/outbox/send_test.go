package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/pgtest"
	"github.com/leanmq/leanmq/leanmq"
	_ "github.com/leanmq/leanmq/leanmq/embedded"
	"github.com/leanmq/leanmq/leanmq/outbox"
)

func TestSentIfCommitted(t *testing.T) {
	forEachStore(t, func(t *testing.T, mq *leanmq.Client, db *sql.DB) {
		box := create(t, db)
		start(t, box, db, mq)
		q := mq.Queue("emails")

		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := box.Send(t.Context(), tx, "emails", []byte("never")); err != nil {
			t.Fatal(err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		id := add(t, box, db, "emails", "hello")
		moved(t, box, db)
		if i := info(t, q); i.Ready != 1 {
			t.Errorf("%+v, want one message", i)
		}
		m := take(t, q, 1)[0]
		if string(m.Payload) != "hello" || m.ID != id {
			t.Errorf("%s with id %s, want hello with id %s", m.Payload, m.ID, id)
		}
	})
}

func TestNothingIsSentBeforeTheCommit(t *testing.T) {
	forEachStore(t, func(t *testing.T, mq *leanmq.Client, db *sql.DB) {
		box := create(t, db)
		q := mq.Queue("q")
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback() // after Commit it does nothing
		if _, err := box.Send(t.Context(), tx, "q", []byte("first by number")); err != nil {
			t.Fatal(err)
		}
		if i := boxInfo(t, box, tx); i.Waiting != 1 {
			t.Errorf("in the transaction: %+v", i)
		}
		start(t, box, db, mq)
		add(t, box, db, "q", "overtakes")
		eventually(t, "the one that is committed is sent", func() bool { return info(t, q).Ready == 1 })
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if got := texts(take(t, q, 2)); !slices.Equal(got, []string{"overtakes", "first by number"}) {
			t.Errorf("got %q", got)
		}
	})
}

// What is sent through the outbox is what Send sends.
func TestOptions(t *testing.T) {
	all := []leanmq.SendOption{
		leanmq.WithHeader("trace", "\xff\x00'\""), leanmq.Target("POST /x?é"), leanmq.TTL(time.Hour),
		leanmq.Priority(leanmq.High), leanmq.RetryWith(leanmq.RetryPolicy{MaxAttempts: 7}),
		leanmq.WithCodec(leanmq.Bytes), leanmq.OrderingKey("k\x00"), leanmq.UniqueFor("u", time.Minute),
	}
	forEachStore(t, func(t *testing.T, mq *leanmq.Client, db *sql.DB) {
		box := create(t, db)
		start(t, box, db, mq)
		if _, err := mq.Queue("direct").Send(t.Context(), []byte("\x00\xff"), append(all, leanmq.ID("mine"))...); err != nil {
			t.Fatal(err)
		}
		if id := add(t, box, db, "boxed", "\x00\xff", append(all, leanmq.ID("mine"))...); id != "mine" {
			t.Errorf("the id is %q", id)
		}
		moved(t, box, db)
		show := func(m seen) string {
			return fmt.Sprintf("%s %q %v %q %d %v", m.ID, m.Payload, m.Header, m.Target, m.Attempt,
				m.Deadline.Sub(m.SentAt).Round(time.Minute))
		}
		want, got := show(take(t, mq.Queue("direct"), 1)[0]), show(take(t, mq.Queue("boxed"), 1)[0])
		if want != got {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// A duplicate of the caller's is dropped, and so is what Unique keeps out.
func TestDuplicatesAreDropped(t *testing.T) {
	forEachStore(t, func(t *testing.T, mq *leanmq.Client, db *sql.DB) {
		box := create(t, db)
		start(t, box, db, mq)
		for _, text := range []string{"first", "second"} {
			add(t, box, db, "id", text, leanmq.ID("same"))
			add(t, box, db, "unique", text, leanmq.Unique("same"))
			add(t, box, db, "for", text, leanmq.UniqueFor("same", time.Hour))
			add(t, box, db, "both", text, leanmq.ID(text), leanmq.Unique("same"))
			add(t, box, db, "ever", text, leanmq.ID("same"), leanmq.Dedupe(0))
		}
		moved(t, box, db)
		for name, n := range map[string]int{"id": 1, "unique": 1, "for": 1, "both": 1, "ever": 2} {
			if got := texts(take(t, mq.Queue(name), n)); got[0] != "first" {
				t.Errorf("%s: %q", name, got)
			}
		}
	})
}

// Delay and TTL count from Send, and not from the relay.
func TestTimesCountFromSend(t *testing.T) {
	forEachStore(t, func(t *testing.T, mq *leanmq.Client, db *sql.DB) {
		box := create(t, db)
		add(t, box, db, "delayed", "x", leanmq.Delay(time.Hour))
		add(t, box, db, "due", "x", leanmq.Delay(time.Hour))
		add(t, box, db, "at", "x", leanmq.At(time.Now().Add(time.Hour)))
		add(t, box, db, "lives", "x", leanmq.TTL(time.Hour))
		add(t, box, db, "expired", "x", leanmq.TTL(time.Hour))
		for queue, age := range map[string]string{"delayed": "50 minutes", "lives": "50 minutes", "due": "70 minutes", "expired": "70 minutes"} {
			if _, err := db.Exec("UPDATE leanmq_outbox SET enqueued_at = enqueued_at - $1::interval WHERE queue = $2", age, queue); err != nil {
				t.Fatal(err)
			}
		}
		start(t, box, db, mq)
		moved(t, box, db)
		for name, want := range map[string]time.Duration{"delayed": 10 * time.Minute, "at": time.Hour} {
			list, err := mq.Queue(name).Scheduled(t.Context(), 2)
			if err != nil || len(list) != 1 {
				t.Fatalf("%s: %d are scheduled, %v", name, len(list), err)
			}
			if d := time.Until(list[0].Due); d > want || d < want-5*time.Minute {
				t.Errorf("%s is due in %v, want %v", name, d, want)
			}
		}
		take(t, mq.Queue("due"), 1)
		m := take(t, mq.Queue("lives"), 1)[0]
		if d := time.Until(m.Deadline); d > 11*time.Minute || d < 5*time.Minute {
			t.Errorf("it lives for %v, want 10 min", d)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 1)
		go func() {
			done <- mq.Queue("expired").Consume(ctx, func(context.Context, *leanmq.Message) error {
				t.Error("it was handled")
				return nil
			})
		}()
		eventually(t, "it expires", func() bool { return info(t, mq.Queue("expired")).Expired == 1 })
		cancel()
		<-done
	})
}

func TestKick(t *testing.T) {
	forEachStore(t, func(t *testing.T, mq *leanmq.Client, db *sql.DB) {
		box := create(t, db)
		start(t, box, db, mq, outbox.Poll(time.Hour))
		for range 3 {
			add(t, box, db, "q", "x")
			box.Kick()
			moved(t, box, db)
		}
	})
}

func TestBadInput(t *testing.T) {
	db := database(t, pgtest.Database(t))
	ctx := t.Context()
	for _, name := range []string{"", "a b", `x"; DROP TABLE y; --`, "1a", "a.b.c", ".a", "a.", strings.Repeat("x", 41)} {
		box := outbox.New(outbox.Table(name))
		_, serr := box.Send(ctx, db, "q", nil)
		_, terr := box.Schema()
		_, rerr := box.Retry(ctx, db, "x")
		for _, err := range []error{box.Create(ctx, db), serr, terr, rerr, box.Relay(ctx, db, nil)} {
			var bad *leanmq.InvalidError
			if !errors.As(err, &bad) || bad.Field != "Table" {
				t.Errorf("table %q: %v", name, err)
			}
		}
	}

	box := outbox.New()
	var where *outbox.Error
	if _, err := box.Send(ctx, db, "q", nil); !errors.Is(err, outbox.ErrNoTable) || !errors.As(err, &where) {
		t.Errorf("without a table: %v", err)
	}
	if _, err := box.Publish(ctx, db, "q", nil, leanmq.Delay(1)); !errors.Is(err, leanmq.ErrInvalid) || !errors.As(err, &where) || where.Op != "publish" {
		t.Errorf("what is not for topics: %v", err)
	}
	if err := box.Create(ctx, db); err != nil {
		t.Fatal(err)
	}
	for want, send := range map[string]func() (string, error){
		"queue name": func() (string, error) { return box.Send(ctx, db, "a{b", nil) },
		"payload":    func() (string, error) { return box.Send(ctx, db, "q", make([]byte, leanmq.MaxPayload+1)) },
		"Delay":      func() (string, error) { return box.Send(ctx, db, "q", nil, leanmq.Delay(-1)) },
		"ID":         func() (string, error) { return box.Send(ctx, db, "q", nil, leanmq.ID("")) },
		"topic name": func() (string, error) { return box.Publish(ctx, db, "a{b", nil) },
		"Unique":     func() (string, error) { return box.Publish(ctx, db, "q", nil, leanmq.Unique("u")) },
		"Priority":   func() (string, error) { return box.Publish(ctx, db, "q", nil, leanmq.Priority(leanmq.High)) },
		"UniqueFor":  func() (string, error) { return box.Publish(ctx, db, "q", nil, leanmq.UniqueFor("u", time.Hour)) },
		"Type":       func() (string, error) { return box.Publish(ctx, db, "q", nil, leanmq.Type("order.*")) },
		"Replicas":   func() (string, error) { return box.Send(ctx, db, "q", nil, leanmq.Replicas(1, time.Second)) },
	} {
		var bad *leanmq.InvalidError
		if _, err := send(); !errors.As(err, &bad) || bad.Field != want || !errors.Is(err, leanmq.ErrInvalid) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if i := boxInfo(t, box, db); i.Waiting != 0 {
		t.Errorf("%+v", i)
	}
}

func TestRelayRefusesToStart(t *testing.T) {
	mq := open(t, "mem://")
	db := database(t, pgtest.Database(t))
	if err := outbox.New().Relay(t.Context(), db, mq); !errors.Is(err, outbox.ErrNoTable) {
		t.Errorf("without a table: %v", err)
	}
	box := create(t, db)
	for want, o := range map[string]outbox.RelayOption{
		"Poll": outbox.Poll(0), "Batch": outbox.Batch(0), "Remember": outbox.Remember(0), "Queues": outbox.Queues(nil),
	} {
		var bad *leanmq.InvalidError
		if err := box.Relay(t.Context(), db, mq, o); !errors.As(err, &bad) || bad.Field != want {
			t.Errorf("%s: %v", want, err)
		}
	}
	closed, err := leanmq.Open(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	add(t, box, db, "q", "x")
	if err := box.Relay(t.Context(), db, closed); !errors.Is(err, leanmq.ErrClosed) {
		t.Errorf("with a closed client: %v", err)
	}
}

func TestCreate(t *testing.T) {
	db := database(t, pgtest.Database(t))
	if _, err := db.Exec(`CREATE SCHEMA "Own"`); err != nil {
		t.Fatal(err)
	}
	for _, opts := range [][]outbox.Option{nil, {outbox.Table("Own.Box_" + strings.Repeat("x", 36))}} {
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if err := outbox.New(opts...).Create(t.Context(), db); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		box := outbox.New(opts...)
		if _, err := box.Send(t.Context(), db, "q", nil); err != nil {
			t.Error(err)
		}
		text, err := box.Schema()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(text); err != nil {
			t.Errorf("%v in\n%s", err, text)
		}
		if i := boxInfo(t, box, db); i.Waiting != 1 {
			t.Errorf("%+v", i)
		}
	}
}
