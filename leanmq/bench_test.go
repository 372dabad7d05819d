package leanmq_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// Payloads have 256 bytes in all benchmarks.
var payload = make([]byte, 256)

func benchClient(b *testing.B) *leanmq.Client {
	b.Helper()
	mq, err := leanmq.Open(b.Context(), redistest.Server(b).URL())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = mq.Close() })
	return mq
}

// BenchmarkSend: concurrent callers of Send.
func BenchmarkSend(b *testing.B) {
	for _, callers := range []int{1, 16, 100} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			q := benchClient(b).Queue("bench")
			b.ReportAllocs()
			b.ResetTimer()
			spread(b.N, callers, func() {
				if _, err := q.Send(context.Background(), payload); err != nil {
					b.Error(err)
				}
			})
			rate(b)
		})
	}
}

// BenchmarkSendMany: one caller, 200 messages a call. A unit is a message.
func BenchmarkSendMany(b *testing.B) {
	q := benchClient(b).Queue("bench")
	batch := slices.Repeat([][]byte{payload}, 200)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += len(batch) {
		if _, err := q.SendMany(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	rate(b)
}

// BenchmarkConsume: fetch, no-op handler, settle, 16 workers, from a backlog.
func BenchmarkConsume(b *testing.B) {
	mq := benchClient(b)
	q := mq.Queue("bench")
	batch := slices.Repeat([][]byte{payload}, 200)
	for n := 0; n < b.N; n += len(batch) {
		if _, err := q.SendMany(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var handled atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	err := q.Consume(ctx, func(context.Context, *leanmq.Message) error {
		if handled.Add(1) == int64(b.N) {
			b.StopTimer()
			cancel()
		}
		return nil
	}, leanmq.Concurrency(16))
	if err != nil {
		b.Fatal(err)
	}
	rate(b)
}

// BenchmarkLatency: from Send to the start of the handler, one at a time, with
// other queues idle beside it.
func BenchmarkLatency(b *testing.B) {
	for _, idle := range []int{0, 20, 100} {
		b.Run(fmt.Sprintf("idle%d", idle), func(b *testing.B) {
			mq := benchClient(b)
			ctx, cancel := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			started := make(chan time.Time, 1)
			for i := range idle + 1 {
				wg.Go(func() {
					_ = mq.Queue(fmt.Sprintf("bench:q%d", i)).Consume(ctx, func(context.Context, *leanmq.Message) error {
						started <- time.Now()
						return nil
					})
				})
			}
			q := mq.Queue("bench:q0")
			ping := func() time.Duration {
				sent := time.Now()
				if _, err := q.Send(context.Background(), payload); err != nil {
					b.Fatal(err)
				}
				return (<-started).Sub(sent)
			}
			for range 100 {
				ping()
			}
			var took []time.Duration
			b.ResetTimer()
			for range b.N {
				took = append(took, ping())
				time.Sleep(50 * time.Microsecond) // let it become idle again
			}
			b.StopTimer()
			cancel()
			wg.Wait()
			quantiles(b, took)
		})
	}
}

// BenchmarkRequest: request-reply through an inbox.
func BenchmarkRequest(b *testing.B) {
	for _, callers := range []int{1, 100} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			mq := benchClient(b)
			q := mq.Queue("bench")
			ctx, cancel := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			wg.Go(func() {
				_ = q.Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
					m.Reply(leanmq.Reply{Status: 200, Payload: m.Payload})
					return nil
				})
			})
			inbox, err := mq.OpenInbox(ctx)
			if err != nil {
				b.Fatal(err)
			}
			var mu sync.Mutex
			var took []time.Duration
			b.ReportAllocs()
			b.ResetTimer()
			spread(b.N, callers, func() {
				start := time.Now()
				if _, err := inbox.Request(context.Background(), q, payload); err != nil {
					b.Error(err)
				}
				d := time.Since(start)
				mu.Lock()
				took = append(took, d)
				mu.Unlock()
			})
			rate(b)
			b.StopTimer()
			quantiles(b, took)
			_ = inbox.Close()
			cancel()
			wg.Wait()
		})
	}
}

// spread calls f n times from several goroutines.
func spread(n, goroutines int, f func()) {
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				f()
			}
		})
	}
	wg.Wait()
}

func rate(b *testing.B) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

func quantiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkMemory: what a queued message takes of Redis' memory.
func BenchmarkMemory(b *testing.B) {
	server := redistest.Server(b)
	mq, err := leanmq.Open(b.Context(), server.URL())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer func() { _ = rdb.Close() }()
	q := mq.Queue("bench")
	before := usedMemory(b, rdb)
	batch := slices.Repeat([][]byte{payload}, 200)
	n := 0
	for ; n < max(b.N, 100_000); n += len(batch) {
		if _, err := q.SendMany(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(usedMemory(b, rdb)-before)/float64(n), "B/msg")
}

func usedMemory(b *testing.B, rdb redis.UniversalClient) int64 {
	b.Helper()
	info, err := rdb.InfoMap(context.Background(), "memory").Result()
	if err != nil {
		b.Fatal(err)
	}
	n, err := strconv.ParseInt(info["Memory"]["used_memory"], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}
