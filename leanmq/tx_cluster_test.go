package leanmq_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// On a cluster a transaction stays within one hash tag, and is refused before anything
// is sent if it does not.
func TestTxOnACluster(t *testing.T) {
	t.Parallel()
	mq := open(t, redistest.Cluster(t).URL())
	orders, invoices, elsewhere := mq.Queue("shop:orders"), mq.Queue("shop:invoices"), mq.Queue("elsewhere")
	for name, add := range map[string]func(tx *leanmq.Tx){
		`queue "elsewhere"`: func(tx *leanmq.Tx) { tx.Send(elsewhere, nil) },
		`topic "events"`:    func(tx *leanmq.Tx) { tx.Publish(mq.Topic("events"), nil) },
		`key "stock"`:       func(tx *leanmq.Tx) { tx.Do("INCR", "stock") },
	} {
		err := mq.Tx(t.Context(), func(tx *leanmq.Tx) error {
			tx.Send(orders, nil)
			add(tx)
			return nil
		})
		if !errors.Is(err, leanmq.ErrCrossSlot) || !strings.Contains(err.Error(), `queue "shop:orders"`) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if a, b := info(t, orders), info(t, elsewhere); a.Ready+b.Ready != 0 {
		t.Errorf("%+v, %+v", a, b)
	}

	err := mq.Tx(t.Context(), func(tx *leanmq.Tx) error {
		tx.Publish(mq.Topic("events"), nil)
		tx.Publish(mq.Topic("shop:events"), nil)
		return nil
	})
	if !errors.Is(err, leanmq.ErrCrossSlot) || !strings.Contains(err.Error(), `topic "events" is`) || !strings.Contains(err.Error(), `topic "shop:events"`) {
		t.Errorf("two topics: %v", err)
	}

	events := mq.Topic("shop:events")
	send(t, orders, "done")
	send(t, orders, "retry")
	ms := received(t, orders, 2)
	var left *redis.Cmd
	err = mq.Tx(t.Context(), func(tx *leanmq.Tx) error {
		tx.Do("SET", "{shop}:stock", 10)
		tx.Publish(events, []byte("sold"), leanmq.Type("stock.sold"), leanmq.OrderingKey("k"))
		tx.Publish(events, []byte("once"), leanmq.ID("id"))
		left = tx.Do("DECRBY", "{shop}:stock", 3)
		tx.Send(invoices, []byte("plain"))
		tx.Send(invoices, []byte("late"), leanmq.Delay(time.Hour), leanmq.ID("id"))
		tx.Send(invoices, []byte("ordered"), leanmq.OrderingKey("k"), leanmq.Priority(leanmq.High))
		_ = tx.Retry(ms[1].Message, leanmq.RetryAfter(time.Hour, nil))
		return tx.Done(ms[0].Message)
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := left.Int(); n != 7 || err != nil {
		t.Errorf("%d left, %v", n, err)
	}
	drainGroup(t, events.Group("stock"), 2)
	if i := info(t, orders); i.Ready+i.InFlight != 0 || i.Scheduled != 1 {
		t.Errorf("orders: %+v", i)
	}
	if i := info(t, invoices); i.Ready != 2 || i.Scheduled != 1 {
		t.Errorf("invoices: %+v", i)
	}

	// Keys of the caller's own may have braces where they mean nothing.
	for _, key := range []string{"a}b", "{}x}y", "x}{a}b"} {
		if err := mq.Tx(t.Context(), func(tx *leanmq.Tx) error {
			tx.Do("INCR", key)
			tx.Do("INCR", key)
			return nil
		}); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}
