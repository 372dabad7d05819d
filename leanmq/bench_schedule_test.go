package leanmq_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// alreadyScheduled runs a benchmark on queues that hold so many scheduled messages
// for a time that does not come.
func alreadyScheduled(b *testing.B, run func(b *testing.B, q *leanmq.Queue)) {
	for _, n := range []int{1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			q := benchClient(b).Queue("bench")
			schedule(b, q, n, leanmq.Delay(1000*time.Hour))
			run(b, q)
		})
	}
}

// schedule sends n messages, 200 a call, from several callers.
func schedule(b *testing.B, q *leanmq.Queue, n int, opt leanmq.SendOption) {
	b.Helper()
	batch := slices.Repeat([][]byte{payload}, 200)
	spread((n+len(batch)-1)/len(batch), 4, func() {
		if _, err := q.SendMany(context.Background(), batch, opt); err != nil {
			b.Error(err)
		}
	})
}

// BenchmarkSchedule: SendMany of delayed messages, 200 a call, with so many
// scheduled before. A unit is a message.
func BenchmarkSchedule(b *testing.B) {
	alreadyScheduled(b, func(b *testing.B, q *leanmq.Queue) {
		b.ReportAllocs()
		b.ResetTimer()
		schedule(b, q, b.N, leanmq.Delay(time.Hour))
		rate(b)
	})
}

// BenchmarkPromote: messages that are due, until the last one is in the stream,
// with so many scheduled behind them. A consumer that does not get on with them
// moves them.
func BenchmarkPromote(b *testing.B) {
	alreadyScheduled(b, func(b *testing.B, q *leanmq.Queue) {
		behind := benchScheduled(b, q)
		schedule(b, q, b.N, leanmq.At(time.Unix(1, 0)))
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		b.ResetTimer()
		wg.Go(func() {
			_ = q.Consume(ctx, func(context.Context, *leanmq.Message) error {
				<-ctx.Done()
				return nil
			}, leanmq.Concurrency(1))
		})
		for benchScheduled(b, q) > behind {
			time.Sleep(100 * time.Microsecond)
		}
		b.StopTimer()
		rate(b)
		cancel()
		wg.Wait()
	})
}

func benchScheduled(b *testing.B, q *leanmq.Queue) int64 {
	b.Helper()
	i, err := q.Info(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	return i.Scheduled
}

// BenchmarkLateness: how late delayed messages reach their handler when 1,000 are
// due a second. A unit is a message.
func BenchmarkLateness(b *testing.B) {
	q := benchClient(b).Queue("bench")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var mu sync.Mutex
	var late []time.Duration
	var handled atomic.Int64
	all := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = q.Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
			d := time.Since(time.UnixMilli(int64(binary.BigEndian.Uint64(m.Payload))))
			mu.Lock()
			late = append(late, d)
			mu.Unlock()
			if handled.Add(1) == int64(b.N) {
				close(all)
			}
			return nil
		})
	})
	b.ResetTimer()
	first := time.Now().Add(500 * time.Millisecond)
	for i := range b.N {
		at := first.Add(time.Duration(i) * time.Millisecond)
		time.Sleep(time.Until(at.Add(-500 * time.Millisecond)))
		m := binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli()))
		if _, err := q.Send(ctx, append(m, payload[8:]...), leanmq.At(time.UnixMilli(at.UnixMilli()))); err != nil {
			b.Fatal(err)
		}
	}
	<-all
	b.StopTimer()
	cancel()
	wg.Wait()
	quantiles(b, late)
}
