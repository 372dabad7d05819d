package leanmq_test

import (
	"errors"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// A key of a queue that holds something else, by whatever mistake, fails a transaction
// before it begins: its move would fail in the middle.
func TestTxFailsBeforeAKeyOfTheWrongType(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq, raw, ctx := open(t, url), rawClient(t, url), t.Context()
		in, out := mq.Queue("in"), mq.Queue("out")
		for _, text := range []string{"plain", "ordered"} {
			send(t, in, text, leanmq.OrderingKey(text))
		}
		ms := received(t, in, 2)
		keys, err := mq.Store().Queue("in")
		if err != nil {
			t.Fatal(err)
		}
		outKeys, err := mq.Store().Queue("out")
		if err != nil {
			t.Fatal(err)
		}
		for name, tt := range map[string]struct {
			key string
			add func(tx *leanmq.Tx)
		}{
			"stream":  {outKeys.Stream, func(tx *leanmq.Tx) { tx.Send(out, nil) }},
			"dedupe":  {outKeys.Dedupe("id"), func(tx *leanmq.Tx) { tx.Send(out, nil, leanmq.ID("id")) }},
			"for":     {outKeys.UniqueFor("u"), func(tx *leanmq.Tx) { tx.Send(out, nil, leanmq.UniqueFor("u", time.Hour)) }},
			"delayed": {outKeys.Delayed, func(tx *leanmq.Tx) { tx.Send(out, nil, leanmq.Delay(time.Hour)) }},
			"lane": {outKeys.Lane("k"), func(tx *leanmq.Tx) {
				tx.Send(out, nil, leanmq.OrderingKey("k"))
				tx.Send(out, nil, leanmq.OrderingKey("k"))
			}},
			"order":           {outKeys.Order, func(tx *leanmq.Tx) { tx.Send(out, nil, leanmq.OrderingKey("k")) }},
			"lane of settled": {keys.Lane("ordered"), func(tx *leanmq.Tx) { _ = tx.Done(ms[1].Message) }},
			"dead letters":    {keys.Dead, func(tx *leanmq.Tx) { _ = tx.Reject(ms[1].Message, nil) }},
			"workers":         {keys.Workers, func(tx *leanmq.Tx) { _ = tx.Done(ms[0].Message) }},
			"retries":         {keys.Delayed, func(tx *leanmq.Tx) { _ = tx.Retry(ms[1].Message, nil) }},
		} {
			there := raw.Rename(ctx, tt.key, "aside").Err() == nil
			raw.SAdd(ctx, tt.key, "what is no queue's")
			before := contents(t, raw)
			err := mq.Tx(ctx, func(tx *leanmq.Tx) error {
				tx.Do("INCR", "n")
				tt.add(tx)
				return nil
			})
			if err == nil || errors.Is(err, leanmq.ErrUnknown) {
				t.Errorf("%s: %v", name, err)
			}
			if after := contents(t, raw); after != before {
				t.Errorf("%s: before:\n%s\nafter:\n%s", name, before, after)
			}
			raw.Del(ctx, tt.key)
			if there {
				raw.Rename(ctx, "aside", tt.key)
			}
		}
	})
}
