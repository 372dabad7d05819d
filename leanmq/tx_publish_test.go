package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// What a transaction publishes every group gets, in the order of its key, as if it had
// been published by itself, and with the ids that the transaction tells.
func TestTxPublishes(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url, leanmq.Compress(100))
		orders, events := mq.Queue("shop:orders"), mq.Topic("shop:events")
		var billing, search record
		consume(t, events.Group("billing").Queue(), billing.done, leanmq.Types("order.*"), leanmq.Concurrency(1))
		consume(t, events.Group("search").Queue(), search.done)
		long := strings.Repeat("long ", 100)
		var want []string // ids of those of type order.*
		var again *leanmq.TxSend
		for round := range 3 { // with consumers that wait, and with ones that do not
			var sent *leanmq.TxSend
			var published []*leanmq.TxSend
			err := mq.Tx(t.Context(), func(tx *leanmq.Tx) error {
				sent = tx.Send(orders, []byte("order"))
				published = []*leanmq.TxSend{
					tx.Publish(events, []byte(long), leanmq.Type("order.created"), leanmq.OrderingKey("k"),
						leanmq.TTL(time.Hour), leanmq.WithHeader("key", "value")),
					tx.Publish(events, []byte("first"), leanmq.Type("order.paid"), leanmq.ID(fmt.Sprint("id", round)), leanmq.OrderingKey("k")),
				}
				again = tx.Publish(events, []byte("again"), leanmq.Type("order.paid"), leanmq.ID(fmt.Sprint("id", round)))
				published = append(published, tx.PublishMany(events, [][]byte{[]byte("m0"), []byte("m1")},
					leanmq.Type("order.packed"), leanmq.OrderingKey("k"))...)
				tx.Publish(events, []byte("plain"))
				if published[0].ID() != "" || !errors.Is(published[0].Err(), leanmq.ErrTxOver) {
					t.Error("something is known before the commit")
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range append(published, sent) {
				if s.ID() == "" || s.Err() != nil || s.Duplicate() {
					t.Errorf("%q, %v", s.ID(), s.Err())
				}
			}
			if !again.Duplicate() || again.ID() != fmt.Sprint("id", round) || !errors.Is(again.Err(), leanmq.ErrDuplicate) {
				t.Errorf("the second with one id: %q, %v", again.ID(), again.Err())
			}
			for _, s := range published {
				want = append(want, s.ID())
			}
			billing.wait(t, len(want))
			search.wait(t, len(want)+round+1)
		}
		becomesEmpty(t, events.Group("billing").Queue())
		becomesEmpty(t, events.Group("search").Queue())
		var got []string
		for i, s := range billing.list() {
			got = append(got, s.ID)
			if i%4 == 0 && (s.Payload != long || s.Header["key"] != "value") {
				t.Errorf("%+v", s)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("billing got %q, want %q", got, want)
		}
		if n := search.count(); n != len(want)+3 {
			t.Errorf("search got %d messages", n)
		}
		if i := info(t, orders); i.Ready != 3 {
			t.Errorf("orders: %+v", i)
		}
		if names, err := mq.TopicNames(t.Context()); err != nil || !slices.Equal(names, []string{"shop:events"}) {
			t.Errorf("topics: %q, %v", names, err)
		}
		infos, err := mq.Topics(t.Context())
		if err != nil || len(infos) != 1 || infos[0].Name != "shop:events" || infos[0].Length != 15 {
			t.Errorf("topics: %+v, %v", infos, err)
		}
	})
}

// Whatever a transaction fails for, nobody gets what it would have published.
func TestFailedTxPublishesNothing(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq, raw := open(t, url), rawClient(t, url)
		q, events := mq.Queue("shop:q"), mq.Topic("shop:events")
		small := mq.Queue("shop:small", leanmq.MaxLen(1))
		send(t, small, "there")
		publish(t, events, "known", leanmq.ID("known"))
		g := events.Group("g")
		ms := pull(t, newPuller(t, g.Queue(), leanmq.Lease(time.Hour)), 1)
		seek(t, g, leanmq.FromBeginning())
		raw.Set(t.Context(), "{shop}:text", "no number", 0)
		raw.Set(t.Context(), "leanmq:{shop}:taken:topic", "of somebody else", 0)
		before := contents(t, raw)
		for want, add := range map[error]func(tx *leanmq.Tx) error{
			errFunction:            func(*leanmq.Tx) error { return errFunction },
			leanmq.ErrQueueFull:    func(tx *leanmq.Tx) error { tx.Send(small, nil); return nil },
			leanmq.ErrNotFound:     func(tx *leanmq.Tx) error { return tx.Requeue(q, "1-1") },
			leanmq.ErrCommand:      func(tx *leanmq.Tx) error { tx.Do("INCR", "{shop}:text"); return nil },
			leanmq.ErrLeaseLost:    func(tx *leanmq.Tx) error { return tx.Done(ms[0].Message) },
			leanmq.ErrInvalid:      func(tx *leanmq.Tx) error { tx.Publish(events, nil, leanmq.Delay(1)); return nil },
			leanmq.ErrDuplicate:    func(tx *leanmq.Tx) error { tx.Publish(events, nil, leanmq.ID("known")).MustBeNew(); return nil },
			errors.New("not ours"): func(tx *leanmq.Tx) error { tx.Publish(mq.Topic("shop:taken"), nil); return nil },
		} {
			var s *leanmq.TxSend
			err := mq.Tx(t.Context(), func(tx *leanmq.Tx) error {
				tx.Publish(events, []byte("never"))
				s = tx.Publish(events, []byte("never"), leanmq.ID("new"), leanmq.OrderingKey("k"))
				tx.PublishMany(mq.Topic("shop:other"), [][]byte{nil, nil}, leanmq.Type("x"))
				tx.Send(q, []byte("never"))
				return add(tx)
			})
			if err == nil || !errors.Is(err, want) && want.Error() != "not ours" || errors.Is(err, leanmq.ErrUnknown) {
				t.Errorf("%v: %v", want, err)
			}
			if s.ID() != "" || !errors.Is(s.Err(), leanmq.ErrTxOver) {
				t.Errorf("%v: %q, %v", want, s.ID(), s.Err())
			}
			if after := contents(t, raw); after != before {
				t.Fatalf("%v: before:\n%s\nafter:\n%s", want, before, after)
			}
		}
		var where *leanmq.Error
		err := mq.Tx(t.Context(), func(tx *leanmq.Tx) error {
			tx.Publish(events, nil, leanmq.ID("known")).MustBeNew()
			return nil
		})
		if !errors.As(err, &where) || where.Queue != "shop:events" || where.ID != "known" {
			t.Errorf("it does not say which one: %v", err)
		}
		drainGroup(t, g, 1)
		becomesEmpty(t, g.Queue())
	})
}

// Message in, message out, and the position of the group: all of it at once. A worker that
// has lost its lease publishes nothing.
func TestTxTakesFromOneTopicAndPublishesToAnother(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		in, out := mq.Topic("shop:in"), mq.Topic("shop:out")
		g := in.Group("double")
		publishMany(t, in, 20)
		pass := func(ctx context.Context, m *leanmq.Message) error {
			return mq.Tx(ctx, func(tx *leanmq.Tx) error {
				tx.Publish(out, m.Payload)
				return tx.Done(m)
			})
		}
		stale := pull(t, newPuller(t, g.Queue(), leanmq.Lease(time.Hour)), 5)
		seek(t, g, leanmq.FromBeginning())
		for _, m := range stale {
			if err := pass(t.Context(), m.Message); !errors.Is(err, leanmq.ErrLeaseLost) {
				t.Errorf("a stale one: %v", err)
			}
		}
		consume(t, g.Queue(), func(ctx context.Context, m *leanmq.Message) error {
			if err := pass(ctx, m); err != nil {
				return err
			}
			return errors.New("too late: it is settled")
		}, quick)
		becomesEmpty(t, g.Queue())
		var r record
		consume(t, out.Group("g").Queue(), r.done)
		r.wait(t, 20)
		becomesEmpty(t, out.Group("g").Queue())
		if got := r.payloads(); len(got) != 20 || len(slices.Compact(slices.Sorted(slices.Values(got)))) != 20 {
			t.Errorf("%d messages: %q", len(got), got)
		}
	})
}

// Middleware sees what is published with what is sent, and hooks are told of both, also of
// a topic and a queue that have the same name.
func TestTxPublishesThroughWhatIsAroundSends(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var infos []leanmq.SendInfo
		var seen []string
		mq := open(t, url, leanmq.Observe(leanmq.Hooks{Sent: func(i leanmq.SendInfo) { infos = append(infos, i) }}),
			leanmq.UseSend(sendFirst(func(ms []*leanmq.Outgoing) ([]*leanmq.Outgoing, error) {
				for _, m := range ms {
					seen = append(seen, m.Queue+" "+string(m.Payload))
					m.Header["traced"] = "yes"
				}
				return ms, nil
			})))
		q, topic := mq.Queue("shop:x"), mq.Topic("shop:x")
		err := mq.Tx(t.Context(), func(tx *leanmq.Tx) error {
			tx.Send(q, []byte("1"))
			tx.PublishMany(topic, [][]byte{[]byte("2"), []byte("3")}, leanmq.Type("a"))
			tx.Send(q, []byte("4"))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := "shop:x 1, shop:x 2, shop:x 3, shop:x 4"; strings.Join(seen, ", ") != want {
			t.Errorf("middleware saw %q", seen)
		}
		if len(infos) != 2 || infos[0].Sent != 2 || infos[1].Sent != 2 {
			t.Errorf("hooks were told %+v", infos)
		}
		ms, err := topic.Read(t.Context(), leanmq.FromBeginning(), 10)
		if err != nil || len(ms) != 2 || ms[1].Message.Header["traced"] != "yes" {
			t.Errorf("%+v, %v", ms, err)
		}
		if i := info(t, q); i.Ready != 2 {
			t.Errorf("%+v", i)
		}
	})
}
