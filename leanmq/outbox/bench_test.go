package outbox_test

import (
	"fmt"
	"testing"

	"github.com/leanmq/leanmq/internal/pgtest"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// BenchmarkRelay moves rows of 256 bytes, with fsync off; with ordering keys, of which
// a batch has every tenth row's.
func BenchmarkRelay(b *testing.B) {
	for name, opts := range map[string][]leanmq.SendOption{"plain": nil, "ordered": {leanmq.OrderingKey("0")}} {
		b.Run(name, func(b *testing.B) {
			mq, db := open(b, redistest.Server(b).URL()), database(b, pgtest.Database(b))
			box := create(b, db)
			add(b, box, db, "q", fmt.Sprintf("%256d", 1), opts...)
			if _, err := db.Exec(`INSERT INTO leanmq_outbox (id, queue, lane, payload, options)
				SELECT id || n, queue, CASE WHEN lane IS NOT NULL THEN (n % 50)::text::bytea END, payload, options
				FROM leanmq_outbox, generate_series(2, $1) AS n`, b.N); err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			start(b, box, db, mq)
			moved(b, box, db)
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
