package main

import (
	"context"
	"encoding/json"
	"math/rand/v2"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/leanmq"
)

// Transfer is a message.
type Transfer struct {
	From, To string
	Amount   int
}

// book is the keys and queues of one run. All of them share a hash tag, so that a
// transaction may touch them together on Redis Cluster as well.
type book struct {
	name                string
	mq                  *leanmq.Client
	balances, applied   string
	transfers, receipts *leanmq.Queue
}

func newBook(name string, mq *leanmq.Client) *book {
	return &book{
		name: name, mq: mq,
		balances: "{" + name + "}:balances", applied: "{" + name + "}:applied",
		transfers: mq.Queue(name + ":transfers"), receipts: mq.Queue(name + ":receipts"),
	}
}

// open sets the accounts up and sends the transfers, and returns the balances that
// should come of them.
func (b *book) open(ctx context.Context) (map[string]int, error) {
	want := map[string]int{"alice": opening, "bob": opening}
	err := b.mq.Tx(ctx, func(tx *leanmq.Tx) error {
		tx.Do("HSET", b.balances, "alice", opening, "bob", opening)
		for range transfers {
			t := Transfer{"alice", "bob", 1 + rand.IntN(20)}
			if rand.IntN(2) == 0 {
				t.From, t.To = t.To, t.From
			}
			payload, err := json.Marshal(t)
			if err != nil {
				return err
			}
			tx.Send(b.transfers, payload)
			want[t.From] -= t.Amount
			want[t.To] += t.Amount
		}
		return nil
	})
	return want, err
}

// apply is the handler: what a transfer brings about happens together with the end of
// its message, or not at all.
func (b *book) apply(ctx context.Context, m *leanmq.Message) error {
	var t Transfer
	if err := m.Decode(&t); err != nil {
		return err
	}
	return b.mq.Tx(ctx, func(tx *leanmq.Tx) error {
		tx.Do("HINCRBY", b.balances, t.From, -t.Amount)
		tx.Do("HINCRBY", b.balances, t.To, t.Amount)
		tx.Do("HINCRBY", b.applied, m.ID, 1) // for the audit only
		tx.Send(b.receipts, m.Payload)
		return tx.Done(m)
	})
}

// remove leaves nothing behind on somebody's server.
func (b *book) remove(rdb *redis.Client) {
	ctx := context.Background()
	_ = rdb.Del(ctx, b.balances, b.applied).Err()
	_ = b.transfers.ForceDelete(ctx)
	_ = b.receipts.ForceDelete(ctx)
}
