package store_test

import (
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

// BenchmarkRetry: failures set aside, 100 a settlement, each message ten times,
// with its history. A unit is a failure.
func BenchmarkRetry(b *testing.B) {
	benchFailures(b, 10, func(st *store.Settlement, id string, attempt int) {
		st.Retries = append(st.Retries, store.Retry{ID: id, Attempts: attempt, Error: "dial tcp: connection refused"})
	})
}

// BenchmarkDead: dead-lettered at the first failure.
func BenchmarkDead(b *testing.B) {
	benchFailures(b, 1, func(st *store.Settlement, id string, attempt int) {
		st.Dead = append(st.Dead, store.Dead{ID: id, Reason: "exhausted", Attempts: attempt, Error: "dial tcp: connection refused"})
	})
}

func benchFailures(b *testing.B, attempts int, fail func(st *store.Settlement, id string, attempt int)) {
	ctx := b.Context()
	s, err := store.Open(ctx, redistest.Server(b).URL(), "leanmq")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	q, err := s.Queue("jobs")
	if err != nil {
		b.Fatal(err)
	}
	reader := s.NewReader()
	b.Cleanup(func() { _ = reader.Close() })
	batch := make([]store.Envelope, 100)
	for i := range batch {
		batch[i].Payload = make([]byte, 256)
	}
	b.ResetTimer()
	b.StopTimer()
	for n := 0; n < b.N; {
		if _, err := q.Join(ctx, "worker"); err != nil {
			b.Fatal(err)
		}
		if _, errs := q.SendMany(ctx, batch); errs != nil {
			b.Fatal(errs)
		}
		for attempt := 1; attempt <= attempts; attempt++ {
			if _, err := s.Promote(ctx, []*store.Queue{q}, len(batch)); err != nil {
				b.Fatal(err)
			}
			var st store.Settlement
			if err := reader.Read(ctx, "worker", []*store.Queue{q}, len(batch), 0, func(_ int, e store.Entry) {
				fail(&st, e.Entry, attempt)
			}); err != nil {
				b.Fatal(err)
			}
			n += len(st.Retries) + len(st.Dead)
			b.StartTimer()
			out, err := q.Settle(ctx, "worker", &st)
			b.StopTimer()
			if err != nil || len(out.Lost) > 0 {
				b.Fatal(out, err)
			}
		}
		if _, err := q.Delete(ctx, true); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}
