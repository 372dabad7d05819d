package leanmq_test

import (
	"fmt"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// BenchmarkPublish publishes to a topic, 200 at once, beside a send to a queue.
func BenchmarkPublish(b *testing.B) {
	payload := make([]byte, 100)
	run := func(b *testing.B, publish func() error) {
		b.SetParallelism(100)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := publish(); err != nil {
					b.Error(err)
				}
			}
		})
	}
	b.Run("send", func(b *testing.B) {
		q := open(b, redistest.Server(b).URL()).Queue("q")
		run(b, func() error { _, err := q.Send(b.Context(), payload); return err })
	})
	for _, groups := range []int{10, 0} {
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			topic := open(b, redistest.Server(b).URL()).Topic("t")
			for i := range groups {
				if _, err := topic.Group(fmt.Sprint("g", i)).Create(b.Context(), leanmq.FromBeginning()); err != nil {
					b.Fatal(err)
				}
			}
			b.ResetTimer()
			run(b, func() error { _, err := topic.Publish(b.Context(), payload); return err })
		})
	}
}
