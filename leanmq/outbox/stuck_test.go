package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/pgtest"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/outbox"
)

func query(t testing.TB, db *sql.DB, text string) {
	t.Helper()
	if _, err := db.Exec(text); err != nil {
		t.Fatal(err)
	}
}

// Rows that can never be sent hold up nobody, and say why.
func TestStuck(t *testing.T) {
	forEachStore(t, func(t *testing.T, mq *leanmq.Client, db *sql.DB) {
		box := create(t, db)
		why := map[string]string{
			"badname": "queue name", "damaged": "damaged", "newer": "newer version",
			"old": "can no longer be told", "too large": "at most 10 are allowed", "nowhere": "Queues",
		}
		for name := range why {
			add(t, box, db, "q", name, leanmq.OrderingKey("k"), leanmq.WithHeader("name", name))
		}
		query(t, db, "UPDATE leanmq_outbox SET queue = 'a{b' WHERE payload = 'badname'")
		query(t, db, "UPDATE leanmq_outbox SET options = 'rubbish' WHERE payload = 'damaged'")
		query(t, db, "UPDATE leanmq_outbox SET options = '1:2' WHERE payload = 'newer'")
		query(t, db, "UPDATE leanmq_outbox SET fresh_at = fresh_at - interval '29 days 1 minute' WHERE payload = 'old'")
		query(t, db, "UPDATE leanmq_outbox SET payload = repeat('x', 11)::bytea WHERE payload = 'too large'")
		query(t, db, "UPDATE leanmq_outbox SET queue = 'nowhere' WHERE payload = 'nowhere'")
		add(t, box, db, "q", "good", leanmq.OrderingKey("k"))
		start(t, box, db, mq, outbox.Queues(func(name string) *leanmq.Queue {
			if name == "nowhere" {
				return nil
			}
			return mq.Queue(name, leanmq.MaxPayloadBytes(10))
		}))
		moved(t, box, db)
		if got := texts(take(t, mq.Queue("q"), 1)); got[0] != "good" {
			t.Errorf("%q", got)
		}
		all := stuck(t, box, db)
		if len(all) != len(why) {
			t.Fatalf("%d rows are stuck, want %d", len(all), len(why))
		}
		var rows []string
		for _, s := range all {
			name := string(s.Payload)
			if strings.HasPrefix(name, "xx") {
				name = "too large"
			}
			if s.Queue == "a{b" {
				name = "badname"
			}
			rows = append(rows, s.Row)
			if !strings.Contains(s.Error, why[name]) {
				t.Errorf("%s: %s", name, s.Error)
			}
			if s.Attempts != 1 || s.ID != s.Row || s.OrderingKey != "k" || s.StuckAt.Before(s.EnqueuedAt) {
				t.Errorf("%s: %+v", name, s)
			}
			if name != "damaged" && name != "newer" && s.Header["name"] != name {
				t.Errorf("%s: %+v", name, s)
			}
			if name == "old" { // somebody has looked
				if n, err := box.Retry(t.Context(), db, s.Row, "nobody"); n != 1 || err != nil {
					t.Errorf("%d, %v", n, err)
				}
			}
		}
		if got := texts(take(t, mq.Queue("q"), 1)); got[0] != "old" {
			t.Errorf("%q", got)
		}
		moved(t, box, db)
		if n, err := box.Discard(t.Context(), db, rows...); n != len(why)-1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if i := boxInfo(t, box, db); i.Stuck+i.Waiting != 0 {
			t.Errorf("%+v", i)
		}
	})
}

// A row that fails by itself is tried again for a while; one at which connections break
// is found out, and does not stop the others for ever.
func TestRowThatKeepsFailing(t *testing.T) {
	for _, failure := range []error{leanmq.ErrUnknown, errors.New("own failure")} {
		t.Run(failure.Error(), func(t *testing.T) {
			forEachURL(t, func(t *testing.T, url string) {
				var broken atomic.Bool
				broken.Store(true)
				mq := open(t, url, leanmq.UseSend(func(next leanmq.SendFunc) leanmq.SendFunc {
					return func(ctx context.Context, ms []*leanmq.Outgoing) error {
						if broken.Load() && slices.ContainsFunc(ms, func(m *leanmq.Outgoing) bool { return string(m.Payload) == "bad" }) {
							for _, m := range ms {
								m.Err = failure
							}
							return failure
						}
						return next(ctx, ms)
					}
				}))
				db := database(t, pgtest.Database(t))
				box := create(t, db)
				add(t, box, db, "q", "bad")
				query(t, db, "UPDATE leanmq_outbox SET attempts = 9")
				for range 3 {
					add(t, box, db, "q", "good")
				}
				start(t, box, db, mq)
				moved(t, box, db)
				take(t, mq.Queue("q"), 3)
				all := stuck(t, box, db)
				if len(all) != 1 || string(all[0].Payload) != "bad" || all[0].Attempts != 10 {
					t.Fatalf("stuck are %+v", all)
				}
				broken.Store(false)
				if n, err := box.Retry(t.Context(), db, all[0].Row); n != 1 || err != nil {
					t.Errorf("%d, %v", n, err)
				}
				take(t, mq.Queue("q"), 1)
			})
		})
	}
}

// Stuck reads by pages, and its loop may use the only connection there is.
func TestManyStuck(t *testing.T) {
	db := database(t, pgtest.Database(t))
	db.SetMaxOpenConns(1)
	box := create(t, db)
	query(t, db, `INSERT INTO leanmq_outbox (id, queue, payload, options, stuck_at)
		SELECT n::text, 'q', '', '', clock_timestamp() FROM generate_series(1, 250) AS n`)
	n := 0
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for s, err := range box.Stuck(ctx, db) {
		if err != nil {
			t.Fatal(err)
		}
		if done, err := box.Discard(ctx, db, s.Row); done != 1 || err != nil {
			t.Fatal(done, err)
		}
		n++
	}
	if n != 250 {
		t.Errorf("%d rows, want 250", n)
	}
}
