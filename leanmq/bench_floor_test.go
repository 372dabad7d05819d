package leanmq_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
)

// The floors: what go-redis alone takes for the same commands. Compare the other
// benchmarks with these of the same run, for machines differ and change.

func bareClient(b *testing.B) *redis.Client {
	b.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: redistest.Server(b).Addr(), Protocol: 2})
	b.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// BenchmarkFloorSend: 100 callers of XADD through go-redis' AutoPipeline.
func BenchmarkFloorSend(b *testing.B) {
	rdb := bareClient(b)
	auto, err := rdb.AutoPipeline()
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = auto.Close() }()
	b.ReportAllocs()
	b.ResetTimer()
	spread(b.N, 100, func() {
		args := redis.XAddArgs{Stream: "bench", Values: []any{"p", payload}}
		if err := auto.XAdd(context.Background(), &args).Err(); err != nil {
			b.Error(err)
		}
	})
	rate(b)
}

// BenchmarkFloorSendMany: pipelines of 200 XADD.
func BenchmarkFloorSendMany(b *testing.B) {
	rdb := bareClient(b)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += 200 {
		bareSend(b, rdb, 200)
	}
	rate(b)
}

func bareSend(b *testing.B, rdb redis.UniversalClient, n int) {
	pl := rdb.Pipeline()
	for range n {
		pl.XAdd(context.Background(), &redis.XAddArgs{Stream: "bench", Values: []any{"p", payload}})
	}
	if _, err := pl.Exec(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkFloorConsume: XREADGROUP COUNT 200, then XACK and XDEL in a pipeline.
func BenchmarkFloorConsume(b *testing.B) {
	rdb, ctx := bareClient(b), context.Background()
	rdb.XGroupCreateMkStream(ctx, "bench", "g", "0")
	for n := 0; n < b.N; n += 200 {
		bareSend(b, rdb, 200)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += 200 {
		got, err := rdb.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: "g", Consumer: "c", Streams: []string{"bench", ">"}, Count: 200, Block: -1,
		}).Result()
		if err != nil {
			b.Fatal(err)
		}
		ids := make([]string, 0, 200)
		for _, m := range got[0].Messages {
			ids = append(ids, m.ID)
		}
		pl := rdb.Pipeline()
		pl.XAck(ctx, "bench", "g", ids...)
		pl.XDel(ctx, "bench", ids...)
		if _, err := pl.Exec(ctx); err != nil {
			b.Fatal(err)
		}
	}
	rate(b)
}

// BenchmarkFloorLatency: XADD until a blocked XREADGROUP in another goroutine
// has it.
func BenchmarkFloorLatency(b *testing.B) {
	rdb, ctx := bareClient(b), context.Background()
	rdb.XGroupCreateMkStream(ctx, "bench", "g", "0")
	arrived := make(chan time.Time, 1)
	go func() {
		for {
			err := rdb.XReadGroup(ctx, &redis.XReadGroupArgs{
				Group: "g", Consumer: "c", Streams: []string{"bench", ">"}, Count: 16, Block: time.Second,
			}).Err()
			if err != nil {
				return
			}
			arrived <- time.Now()
		}
	}()
	ping := func() time.Duration {
		sent := time.Now()
		bareAdd(b, rdb, "bench")
		return (<-arrived).Sub(sent)
	}
	for range 100 {
		ping()
	}
	var took []time.Duration
	b.ResetTimer()
	for range b.N {
		took = append(took, ping())
		time.Sleep(50 * time.Microsecond)
	}
	quantiles(b, took)
}

func bareAdd(b *testing.B, rdb redis.UniversalClient, stream string) {
	if err := rdb.XAdd(context.Background(), &redis.XAddArgs{Stream: stream, Values: []any{"p", payload}}).Err(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkFloorRequest: XADD, blocked XREADGROUP, XADD, blocked XREAD.
func BenchmarkFloorRequest(b *testing.B) {
	rdb, ctx := bareClient(b), context.Background()
	rdb.XGroupCreateMkStream(ctx, "bench", "g", "0")
	go func() {
		for {
			got, err := rdb.XReadGroup(ctx, &redis.XReadGroupArgs{
				Group: "g", Consumer: "c", Streams: []string{"bench", ">"}, Count: 16, Block: time.Second,
			}).Result()
			if err != nil {
				return
			}
			pl := rdb.Pipeline()
			pl.XAdd(ctx, &redis.XAddArgs{Stream: "reply", Values: []any{"p", payload}})
			pl.XAck(ctx, "bench", "g", got[0].Messages[0].ID)
			pl.XDel(ctx, "bench", got[0].Messages[0].ID)
			_, _ = pl.Exec(ctx)
		}
	}()
	arrived := make(chan struct{}, 1)
	go func() {
		last := "0"
		for {
			got, err := rdb.XRead(ctx, &redis.XReadArgs{Streams: []string{"reply", last}, Block: time.Second}).Result()
			if err != nil {
				return
			}
			last = got[0].Messages[0].ID
			arrived <- struct{}{}
		}
	}()
	var took []time.Duration
	b.ResetTimer()
	for range b.N {
		start := time.Now()
		bareAdd(b, rdb, "bench")
		<-arrived
		took = append(took, time.Since(start))
	}
	b.StopTimer()
	slices.Sort(took)
	quantiles(b, took)
}
