package leanmq_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/leanmq"
)

// BenchmarkCost measures what a message costs the server from its send to its end:
// commands (those inside of scripts included), CPU time and bytes on the wire.
// docs/scaling.md calculates with it.
func BenchmarkCost(b *testing.B) {
	again := func(_ context.Context, m *leanmq.Message) error {
		if m.Attempt == 1 {
			return leanmq.RetryAfter(time.Millisecond, nil)
		}
		return nil
	}
	done := func(context.Context, *leanmq.Message) error { return nil }
	for _, way := range []struct {
		name    string
		handler leanmq.Handler
		opts    func(i int) []leanmq.SendOption
	}{
		{"plain", done, nil},
		{"id", done, func(i int) []leanmq.SendOption { return []leanmq.SendOption{leanmq.ID(fmt.Sprint(i))} }},
		{"orderingkey", done, func(i int) []leanmq.SendOption {
			return []leanmq.SendOption{leanmq.OrderingKey(fmt.Sprint(i % 1000))}
		}},
		{"delay", done, func(int) []leanmq.SendOption { return []leanmq.SendOption{leanmq.Delay(time.Millisecond)} }},
		{"result", done, func(int) []leanmq.SendOption { return []leanmq.SendOption{leanmq.KeepResult(time.Minute)} }},
		{"retry", again, nil},
	} {
		b.Run(way.name, func(b *testing.B) {
			mq, raw := benchServer(b)
			q := mq.Queue("bench")
			var handled atomic.Int64
			c := consume(b, q, func(ctx context.Context, m *leanmq.Message) error {
				err := way.handler(ctx, m)
				if err == nil {
					handled.Add(1)
				}
				return err
			})
			before := costOf(b, raw)
			b.ResetTimer()
			var sent atomic.Int64
			spread(b.N, 100, func() {
				var opts []leanmq.SendOption
				if i := sent.Add(1); way.opts != nil {
					opts = way.opts(int(i))
				}
				if _, err := q.Send(context.Background(), payload, opts...); err != nil {
					b.Error(err)
				}
			})
			for int(handled.Load()) < b.N {
				time.Sleep(time.Millisecond)
			}
			if err := c.Stop(); err != nil {
				b.Error(err)
			}
			b.StopTimer()
			costOf(b, raw).report(b, before)
		})
	}
}

// cost is what a server has spent so far.
type cost struct{ commands, seconds, in, out float64 }

func costOf(b testing.TB, c redis.UniversalClient) (sum cost) {
	b.Helper()
	stats := infoText(b, c, "commandstats")
	for line := range strings.Lines(stats) {
		if name, calls, ok := strings.Cut(line, ":calls="); ok && name != "cmdstat_info" {
			var n float64
			_, _ = fmt.Sscanf(calls, "%f", &n)
			sum.commands += n
		}
	}
	sum.seconds = infoNumber(b, c, "cpu", "used_cpu_user:") + infoNumber(b, c, "cpu", "used_cpu_sys:")
	sum.in = infoNumber(b, c, "stats", "total_net_input_bytes:")
	sum.out = infoNumber(b, c, "stats", "total_net_output_bytes:")
	return sum
}

func (c cost) report(b *testing.B, before cost) {
	n := float64(b.N)
	b.ReportMetric((c.commands-before.commands)/n, "commands/op")
	b.ReportMetric((c.seconds-before.seconds)/n*1e6, "server-µs/op")
	b.ReportMetric((c.in-before.in)/n, "B-in/op")
	b.ReportMetric((c.out-before.out)/n, "B-out/op")
}

func infoText(b testing.TB, c redis.UniversalClient, section string) string {
	b.Helper()
	text, err := c.Info(context.Background(), section).Result()
	if err != nil {
		b.Fatal(err)
	}
	return text
}

func infoNumber(b testing.TB, c redis.UniversalClient, section, name string) (n float64) {
	b.Helper()
	_, rest, ok := strings.Cut(infoText(b, c, section), "\n"+name)
	if !ok {
		b.Fatalf("INFO %s has no %s", section, name)
	}
	_, _ = fmt.Sscanf(rest, "%f", &n)
	return n
}
