package outbox_test

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/outbox"
)

// addEvent publishes in a transaction of its own.
func addEvent(t testing.TB, box *outbox.Box, db *sql.DB, topic, text string, opts ...leanmq.SendOption) string {
	t.Helper()
	return commit(t, db, func(tx *sql.Tx) (string, error) { return box.Publish(t.Context(), tx, topic, []byte(text), opts...) })
}

// retained is what the topic has, in order.
func retained(t testing.TB, topic *leanmq.Topic) []leanmq.Published {
	t.Helper()
	ms, err := topic.Read(t.Context(), leanmq.FromBeginning(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	return ms
}

// What a committed transaction published every group gets, as Publish would have
// published it.
func TestPublishedIfCommitted(t *testing.T) {
	forEachStore(t, func(t *testing.T, mq *leanmq.Client, db *sql.DB) {
		box := create(t, db)
		start(t, box, db, mq)
		topic := mq.Topic("shop:events")
		for group, types := range map[string][]string{"billing": {"order.*"}, "search": nil} {
			if _, err := topic.Group(group).Create(t.Context(), leanmq.FromBeginning(), types...); err != nil {
				t.Fatal(err)
			}
		}
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := box.Publish(t.Context(), tx, "shop:events", []byte("never")); err != nil {
			t.Fatal(err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		all := []leanmq.SendOption{
			leanmq.Type("order.created"), leanmq.WithHeader("trace", "\x00é"), leanmq.Target("POST /x"), leanmq.TTL(time.Hour),
			leanmq.RetryWith(leanmq.RetryPolicy{MaxAttempts: 7}), leanmq.WithCodec(leanmq.Bytes), leanmq.OrderingKey("k"), leanmq.ID("mine"),
		}
		if id := addEvent(t, box, db, "shop:events", "\x00\xff", all...); id != "mine" {
			t.Errorf("the id is %q", id)
		}
		id := addEvent(t, box, db, "shop:events", "plain")
		addEvent(t, box, db, "shop:events", "again", leanmq.ID("mine"))
		moved(t, box, db)
		if _, err := mq.Topic("direct").Publish(t.Context(), []byte("\x00\xff"), all...); err != nil {
			t.Fatal(err)
		}
		show := func(m seen) string {
			return fmt.Sprintf("%s %q %v %q %d %v", m.ID, m.Payload, m.Header, m.Target, m.Attempt,
				m.Deadline.Sub(m.SentAt).Round(time.Minute))
		}
		want := show(take(t, mq.Topic("direct").Group("g").Queue(), 1)[0])
		for group, n := range map[string]int{"billing": 1, "search": 2} {
			ms := take(t, topic.Group(group).Queue(), n)
			at := slices.IndexFunc(ms, func(m seen) bool { return m.ID == "mine" })
			if at < 0 || show(ms[at]) != want {
				t.Errorf("%s got %+v, want %s", group, ms, want)
			}
			if n == 2 && (ms[1-at].ID != id || string(ms[1-at].Payload) != "plain") {
				t.Errorf("%s got %+v, want one with the id %s", group, ms, id)
			}
		}
		if names, err := mq.QueueNames(t.Context()); err != nil || slices.Contains(names, "shop:events") {
			t.Errorf("there is a queue: %q, %v", names, err)
		}
	})
}

// Whatever step a batch fails at, the topic has each message once, and in order.
func TestPublishedOnceAndInOrderWhateverFails(t *testing.T) {
	for _, at := range outbox.Steps {
		t.Run(at, func(t *testing.T) {
			forEachStore(t, func(t *testing.T, mq *leanmq.Client, db *sql.DB) {
				box := create(t, db)
				failures := 0 // of one goroutine, the relay's
				onStep(t, func(step string) error {
					if step != at || failures == 3 {
						return nil
					}
					failures++
					return errors.New("as the test wants it")
				})
				var want []string
				for i := range 24 {
					var opts []leanmq.SendOption
					switch i % 4 {
					case 1:
						opts = append(opts, leanmq.OrderingKey("k"))
					case 2: // forgotten before it is sent again
						opts = append(opts, leanmq.ID(fmt.Sprint("id", i)), leanmq.Dedupe(time.Millisecond))
					case 3:
						opts = append(opts, leanmq.ID(fmt.Sprint("id", i)), leanmq.OrderingKey("k"), leanmq.Dedupe(time.Millisecond))
					}
					want = append(want, fmt.Sprint(i))
					addEvent(t, box, db, "events", want[i], append(opts, leanmq.Type(fmt.Sprint("n.", i)))...)
				}
				r := start(t, box, db, mq, outbox.Batch(5))
				moved(t, box, db)
				if err := r.Stop(); err != nil || failures != 3 {
					t.Errorf("%d failures, %v", failures, err)
				}
				var got []string
				for _, e := range retained(t, mq.Topic("events")) {
					got = append(got, string(e.Message.Payload))
					if e.Message.Type != "n."+string(e.Message.Payload) {
						t.Errorf("%s has the type %s", e.Message.Payload, e.Message.Type)
					}
				}
				other := func(s string) bool { return slices.Index(want, s)%2 == 0 }
				keyed, wantKeyed := slices.DeleteFunc(slices.Clone(got), other), slices.DeleteFunc(slices.Clone(want), other)
				if !slices.Equal(keyed, wantKeyed) {
					t.Errorf("of one key: %q, want %q", keyed, wantKeyed)
				}
				if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
					t.Errorf("got %q", got)
				}
				if ms := take(t, mq.Topic("events").Group("g").Queue(), len(want)); len(ms) != len(want) {
					t.Errorf("the group got %d", len(ms))
				}
			})
		})
	}
}

// A queue and a topic of the same name have nothing in common: neither waits for the
// other, and what is stuck says which one it is for.
func TestTopicAndQueueOfOneName(t *testing.T) {
	forEachStore(t, func(t *testing.T, mq *leanmq.Client, db *sql.DB) {
		box := create(t, db)
		for i := range 3 {
			add(t, box, db, "orders", fmt.Sprint("command", i), leanmq.OrderingKey("k"))
		}
		r := start(t, box, db, mq, outbox.Queues(func(name string) *leanmq.Queue {
			if strings.Contains(name, " ") {
				t.Errorf("asked for the queue %q", name)
			}
			return mq.Queue(name, leanmq.MaxLen(1))
		}))
		eventually(t, "the queue is full", func() bool { return boxInfo(t, box, db).Waiting == 2 && info(t, mq.Queue("orders")).Ready == 1 })
		for i := range 3 {
			addEvent(t, box, db, "orders", fmt.Sprint("event", i), leanmq.OrderingKey("k"))
		}
		eventually(t, "the topic is not", func() bool { return boxInfo(t, box, db).Waiting == 2 })
		if n := len(retained(t, mq.Topic("orders"))); n != 3 {
			t.Errorf("the topic has %d", n)
		}
		take(t, mq.Queue("orders"), 3)
		moved(t, box, db)
		if err := r.Stop(); err != nil {
			t.Error(err)
		}

		add(t, box, db, "orders", "bad command")
		addEvent(t, box, db, "orders", "bad event")
		query(t, db, "UPDATE leanmq_outbox SET options = 'rubbish'")
		start(t, box, db, mq)
		moved(t, box, db)
		all := stuck(t, box, db)
		if len(all) != 2 || all[0].Queue != "orders" || all[0].Topic != "" || all[1].Queue != "" || all[1].Topic != "orders" {
			t.Errorf("stuck are %+v", all)
		}
	})
}
