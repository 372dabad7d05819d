package leanmq_test

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/leanmq"
)

// BenchmarkTx10Sends: 100 callers of Tx, each with ten plain sends. A unit is a
// transaction.
func BenchmarkTx10Sends(b *testing.B) {
	mq := benchClient(b)
	q := mq.Queue("bench")
	b.ReportAllocs()
	b.ResetTimer()
	spread(b.N, 100, func() {
		err := mq.Tx(context.Background(), func(tx *leanmq.Tx) error {
			for range 10 {
				tx.Send(q, payload)
			}
			return nil
		})
		if err != nil {
			b.Error(err)
		}
	})
	txRate(b)
}

// BenchmarkFloorTx10Sends: the same as MULTI, ten XADD and EXEC.
func BenchmarkFloorTx10Sends(b *testing.B) {
	rdb := bareClient(b)
	b.ReportAllocs()
	b.ResetTimer()
	spread(b.N, 100, func() {
		_, err := rdb.TxPipelined(context.Background(), func(p redis.Pipeliner) error {
			for range 10 {
				p.XAdd(context.Background(), &redis.XAddArgs{Stream: "bench", Values: []any{"p", payload}})
			}
			return nil
		})
		if err != nil {
			b.Error(err)
		}
	})
	txRate(b)
}

func txRate(b *testing.B) { b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s") }
