package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leanmq/leanmq/bench/measure"
	"github.com/leanmq/leanmq/bench/system"
)

// jobs: handlers that take their time. The report says how long: what a wait takes longer
// than it should is the machine's, not the system's.
func jobs() []*Scenario {
	var all []*Scenario
	for _, job := range []struct {
		workers int
		takes   time.Duration
	}{{16, time.Millisecond}, {256, 10 * time.Millisecond}} {
		all = append(all, variants(Scenario{
			Name:    fmt.Sprint("job/", job.workers),
			Title:   "Jobs that take their time",
			About:   fmt.Sprintf("%d workers with jobs that wait for %v, as for a database", job.workers, job.takes),
			Row:     fmt.Sprintf("jobs of %v, %d workers", job.takes, job.workers),
			Systems: []system.System{system.LeanMQ, system.Goroutines, system.Asynq, system.Watermill, system.JetStream},
			Main:    measure.Rate,
			Goals:   []Goal{{Metric: measure.Rate, Versus: "goroutines", AtLeast: 0.97}},
			Run: func(ctx context.Context, r *Run) (ms []measure.Measure, err error) {
				waits, err := newWaits(job.workers)
				if err != nil {
					return nil, err
				}
				defer func() { err = errors.Join(err, waits.close()) }()
				enough := int(1.5*float64(r.Scale.Time)/float64(job.takes)+2) * job.workers
				n, err := fill(ctx, r, enough, 0)
				if err != nil {
					return nil, err
				}
				ms, err = process(ctx, r, n, job.workers, func() { waits.wait(job.takes) })
				return append(ms, measure.Measure{Metric: "waited", Unit: "µs", Value: float64(waits.mean().Nanoseconds()) / 1e3}), err
			},
		}, false, false)...)
	}
	return all
}
