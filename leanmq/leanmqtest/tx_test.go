package leanmqtest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/leanmqtest"
)

// What a handler settles by a transaction is settled, for Drain as for Consume.
func TestDrainKnowsWhatTransactionsSettle(t *testing.T) {
	env := leanmqtest.New(t)
	in, out := env.Queue("in"), env.Queue("out")
	for _, text := range []string{"done", "retry", "reject", "failed"} {
		send(t, in, text)
	}
	got := env.Drain(in, func(ctx context.Context, m *leanmq.Message) error {
		err := env.Tx(ctx, func(tx *leanmq.Tx) error {
			tx.Send(out, m.Payload)
			switch string(m.Payload) {
			case "retry":
				return tx.Retry(m, leanmq.RetryAfter(time.Hour, errors.New("later")))
			case "reject":
				return tx.Reject(m, errors.New("no"))
			case "failed":
				tx.Do("INCR", "n")
				tx.Do("HGET", "n", "a")
			}
			return tx.Done(m)
		})
		if string(m.Payload) == "failed" && err != nil {
			return leanmq.Reject(leanmq.ErrCommand)
		}
		return err
	})
	same(t, got,
		`in "done": done`, `in "retry": retry in 1h0m0s: later`, `in "reject": dead (rejected): no`,
		`in "failed": dead (rejected): command failed`)
	env.RequireSent(out, "done", "retry", "reject")
	env.RequireSent(in, "retry")
}
