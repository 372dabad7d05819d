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
	"github.com/leanmq/leanmq/internal/store"
	"github.com/leanmq/leanmq/leanmq"
)

// Compare these with BenchmarkFloorSend of the same run.

// BenchmarkOrdered: send and handle messages of 1,000 ordering keys, 100 senders and
// 16 workers at once. A unit is a message.
func BenchmarkOrdered(b *testing.B) {
	mq := benchClient(b)
	q := mq.Queue("bench")
	var keys [1000]leanmq.SendOption
	for i := range keys {
		keys[i] = leanmq.OrderingKey("key-" + strconv.Itoa(i))
	}
	ctx, cancel := context.WithCancel(context.Background())
	var handled, sent atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	var all sync.WaitGroup
	all.Go(func() {
		spread(b.N, 100, func() {
			if _, err := q.Send(context.Background(), payload, keys[sent.Add(1)%1000]); err != nil {
				b.Error(err)
			}
		})
	})
	err := q.Consume(ctx, func(context.Context, *leanmq.Message) error {
		if handled.Add(1) == int64(b.N) {
			b.StopTimer()
			cancel()
		}
		return nil
	})
	all.Wait()
	if err != nil {
		b.Fatal(err)
	}
	rate(b)
}

// backlogs are how many messages wait already.
var backlogs = []int{0, 1_000, 100_000, 1_000_000}

// BenchmarkSendUnique: 100 callers of Send, each message with a unique key.
func BenchmarkSendUnique(b *testing.B) {
	benchSend(b, func(n int64) leanmq.SendOption { return leanmq.Unique("key-" + strconv.FormatInt(n, 10)) })
}

// BenchmarkSendDedupe: 100 callers of Send, each message with an ID.
func BenchmarkSendDedupe(b *testing.B) {
	benchSend(b, func(n int64) leanmq.SendOption { return leanmq.ID("id-" + strconv.FormatInt(n, 10)) })
}

func benchSend(b *testing.B, opt func(n int64) leanmq.SendOption) {
	for _, backlog := range backlogs {
		b.Run(fmt.Sprint("waiting", backlog), func(b *testing.B) {
			mq, rdb := benchServer(b)
			q := mq.Queue("bench")
			fill(b, rdb, q, backlog, "XADD", "leanmq:{bench}:bench", "*", "p", "x")
			var n atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			spread(b.N, 100, func() {
				if _, err := q.Send(context.Background(), payload, opt(n.Add(1))); err != nil {
					b.Error(err)
				}
			})
			rate(b)
		})
	}
}

// BenchmarkRetryMoves: failed messages to the delayed set, in batches of 200.
func BenchmarkRetryMoves(b *testing.B) {
	benchMoves(b, func(id, epoch string) store.Settlement {
		return store.Settlement{Retries: []store.Retry{{ID: id, Epoch: epoch, Delay: time.Hour, Attempts: 1, Error: "it failed"}}}
	}, func(b *testing.B, rdb redis.UniversalClient, q *leanmq.Queue, n int) {
		fill(b, rdb, q, n, "ZADD", "leanmq:{bench}:bench:delayed", "9000000000000", "#")
		fill(b, rdb, q, n, "HSET", "leanmq:{bench}:bench:delayed:msg", "#", "1:p1:x")
	})
}

// BenchmarkDeadMoves: failed messages to the dead letters, in batches of 200.
func BenchmarkDeadMoves(b *testing.B) {
	benchMoves(b, func(id, epoch string) store.Settlement {
		return store.Settlement{Dead: []store.Dead{{ID: id, Epoch: epoch, Reason: leanmq.ReasonRejected, Attempts: 1, Error: "it failed"}}}
	}, func(b *testing.B, rdb redis.UniversalClient, q *leanmq.Queue, n int) {
		fill(b, rdb, q, n, "XADD", "leanmq:{bench}:bench:dlq", "*", "p", "x", "w", "rejected")
	})
}

// benchMoves settles messages that were read, while others wait where they come from
// and where they go to.
func benchMoves(b *testing.B, one func(id, epoch string) store.Settlement, more func(*testing.B, redis.UniversalClient, *leanmq.Queue, int)) {
	for _, backlog := range backlogs {
		b.Run(fmt.Sprint("waiting", backlog), func(b *testing.B) {
			mq, rdb := benchServer(b)
			q := mq.Queue("bench")
			s := mq.Store()
			sq, err := s.Queue("bench")
			if err != nil {
				b.Fatal(err)
			}
			epoch, err := sq.Join(b.Context(), "w")
			if err != nil {
				b.Fatal(err)
			}
			var ids []string
			reader := s.NewReader()
			defer func() { _ = reader.Close() }()
			batch := slices.Repeat([][]byte{payload}, 200)
			for len(ids) < b.N {
				if _, err := q.SendMany(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
				err := reader.Read(b.Context(), "w", []*store.Queue{sq}, len(batch), 0, func(_ int, e store.Entry) { ids = append(ids, e.Entry) })
				if err != nil {
					b.Fatal(err)
				}
			}
			fill(b, rdb, q, backlog, "XADD", "leanmq:{bench}:bench", "*", "p", "x")
			more(b, rdb, q, backlog)
			ids = ids[:b.N]
			batches := slices.Collect(slices.Chunk(ids, 200))
			var next atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			spread(len(batches), 3, func() {
				var st store.Settlement
				for _, id := range batches[next.Add(1)-1] {
					single := one(id, epoch)
					st.Retries, st.Dead = append(st.Retries, single.Retries...), append(st.Dead, single.Dead...)
				}
				if out, err := sq.Settle(context.Background(), "w", &st); err != nil || len(out.Lost) > 0 {
					b.Error(out, err)
				}
			})
			rate(b)
		})
	}
}

// benchServer is a server, and the two ways to it.
func benchServer(b *testing.B) (*leanmq.Client, redis.UniversalClient) {
	b.Helper()
	server := redistest.Server(b)
	return open(b, server.URL()), rawClient(b, server.URL())
}

// fill runs a command n times in pipelines, with numbers in place of "#".
func fill(b *testing.B, rdb redis.UniversalClient, q *leanmq.Queue, n int, args ...any) {
	b.Helper()
	if n == 0 {
		return
	}
	if err := q.Create(b.Context()); err != nil {
		b.Fatal(err)
	}
	at := slices.Index(args, any("#"))
	for i := 0; i < n; {
		pl := rdb.Pipeline()
		for range min(5000, n-i) {
			command := args
			if at >= 0 {
				command = slices.Clone(args)
				command[at] = "waiting-" + strconv.Itoa(i)
			}
			pl.Do(b.Context(), command...)
			i++
		}
		if _, err := pl.Exec(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
