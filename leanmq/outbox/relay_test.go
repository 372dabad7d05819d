package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/pgtest"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/outbox"
)

func TestSeveralRelays(t *testing.T) {
	forEachStore(t, func(t *testing.T, mq *leanmq.Client, db *sql.DB) {
		box := create(t, db)
		var atIt atomic.Int32
		onStep(t, func(step string) error {
			switch step {
			case "read":
				if n := atIt.Add(1); n != 1 {
					t.Errorf("%d relays at once have a batch", n)
				}
			case "settled":
				atIt.Add(-1)
			}
			return nil
		})
		for range 3 {
			start(t, box, db, mq, outbox.Batch(5))
		}
		s := startSender(t, box, db)
		eventually(t, "some are moved", func() bool { i := info(t, mq.Queue("q")); return i.Ready+i.Blocked > 200 })
		s.check(t, box, db, mq.Queue("q"))
	})
}

// Messages keep their order also where one batch has several with the same key, and
// one in the middle cannot be sent for a while.
func TestOrderWhileAMessageFails(t *testing.T) {
	var broken atomic.Bool
	broken.Store(true)
	fails := leanmq.UseSend(func(next leanmq.SendFunc) leanmq.SendFunc {
		return func(ctx context.Context, ms []*leanmq.Outgoing) error {
			var pass []*leanmq.Outgoing
			for _, m := range ms {
				if broken.Load() && string(m.Payload) == "a1" {
					m.Err = errors.New("not this one")
					continue
				}
				pass = append(pass, m)
			}
			return next(ctx, pass)
		}
	})
	forEachURL(t, func(t *testing.T, url string) {
		broken.Store(true)
		mq, db := open(t, url, fails), database(t, pgtest.Database(t))
		box := create(t, db)
		var want []string
		for i := range 4 {
			for _, lane := range []string{"a", "b"} {
				want = append(want, fmt.Sprint(lane, i))
				add(t, box, db, "q", fmt.Sprint(lane, i), leanmq.OrderingKey(lane))
			}
		}
		start(t, box, db, mq)
		eventually(t, "all go that may", func() bool { return boxInfo(t, box, db).Waiting == 3 })
		var attempts int
		eventually(t, "it is tried again", func() bool {
			if err := db.QueryRow("SELECT max(attempts) FROM leanmq_outbox").Scan(&attempts); err != nil {
				t.Fatal(err)
			}
			return attempts >= 2
		})
		if i := boxInfo(t, box, db); i.Waiting != 3 {
			t.Errorf("%+v: what is behind it was sent", i)
		}
		broken.Store(false)
		moved(t, box, db)
		got := texts(take(t, mq.Queue("q"), len(want)))
		for _, lane := range []string{"a", "b"} {
			of := func(s string) bool { return !strings.HasPrefix(s, lane) }
			if g, w := slices.DeleteFunc(slices.Clone(got), of), slices.DeleteFunc(slices.Clone(want), of); !slices.Equal(g, w) {
				t.Errorf("%q, want %q", g, w)
			}
		}
	})
}

func TestFullQueueHoldsUpNobody(t *testing.T) {
	forEachStore(t, func(t *testing.T, mq *leanmq.Client, db *sql.DB) {
		box := create(t, db)
		const all = 20
		for i := range all {
			add(t, box, db, "small", fmt.Sprintf("%02d", i), leanmq.OrderingKey("k"))
		}
		add(t, box, db, "other", "x")
		start(t, box, db, mq, outbox.Batch(5), outbox.Queues(func(name string) *leanmq.Queue {
			return mq.Queue(name, leanmq.MaxLen(3))
		}))
		eventually(t, "the others go", func() bool { return info(t, mq.Queue("other")).Ready == 1 })
		if i := info(t, mq.Queue("small")); i.Ready+i.Blocked != 3 {
			t.Errorf("%+v, want 3", i)
		}
		var want []string
		for i := range all {
			want = append(want, fmt.Sprintf("%02d", i))
		}
		if got := texts(take(t, mq.Queue("small"), all)); !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		moved(t, box, db) // its rows go after the messages
		if i := boxInfo(t, box, db); i.Stuck != 0 {
			t.Errorf("%+v", i)
		}
	})
}

func TestStop(t *testing.T) {
	forEachStore(t, func(t *testing.T, mq *leanmq.Client, db *sql.DB) {
		box := create(t, db)
		start(t, box, db, mq, outbox.Poll(time.Hour)).Cancel() // while it waits, or before
		for step, left := range map[string]int{"read": 1, "sent": 0} {
			add(t, box, db, "q", step)
			reached, proceed := make(chan struct{}), make(chan struct{})
			onStep(t, func(s string) error {
				if s == step {
					close(reached)
					<-proceed
				}
				return nil
			})
			r := start(t, box, db, mq)
			<-reached
			r.Cancel()
			close(proceed)
			if err := r.Wait(); err != nil {
				t.Error(err)
			}
			if i := boxInfo(t, box, db); i.Waiting != left {
				t.Errorf("stopped after %s: %d rows are left, want %d", step, i.Waiting, left)
			}
			if _, err := db.Exec("DELETE FROM leanmq_outbox"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// What Redis remembers of a message is forgotten soon once nobody can send it again.
func TestRemember(t *testing.T) {
	forEachURL(t, func(t *testing.T, url string) {
		mq, db := open(t, url), database(t, pgtest.Database(t))
		box := create(t, db)
		opts, err := redis.ParseURL(url)
		if err != nil {
			t.Fatal(err)
		}
		raw := redis.NewClient(opts)
		defer raw.Close()
		held := make(chan time.Duration, 1)
		onStep(t, func(step string) error {
			if step == "committed" {
				held <- raw.PTTL(context.Background(), raw.Keys(context.Background(), "*:dedupe:*").Val()[0]).Val()
			}
			return nil
		})
		id := add(t, box, db, "q", "x")
		start(t, box, db, mq, outbox.Remember(time.Minute))
		if d := <-held; d < 29*24*time.Hour {
			t.Errorf("before its row is gone it is known for %v", d)
		}
		eventually(t, "it is known for a minute", func() bool {
			d := raw.PTTL(t.Context(), "leanmq:{q}:q:dedupe:"+id).Val()
			return d > 0 && d <= time.Minute
		})
	})
}
