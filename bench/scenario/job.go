package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/leanmq/leanmq/bench/measure"
	"github.com/leanmq/leanmq/bench/system"
)

// jobs: handlers that take their time.
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
			Systems: []system.System{system.LeanMQ, system.Goroutines, system.Asynq, system.Watermill, system.JetStream},
			Main:    measure.Rate,
			Goals:   []Goal{{Metric: measure.Rate, Versus: "goroutines", AtLeast: 0.97}},
			Run: func(ctx context.Context, r *Run) ([]measure.Measure, error) {
				enough := int(1.5*float64(r.Scale.Time)/float64(job.takes)+2) * job.workers
				n, err := fill(ctx, r, enough, 0)
				if err != nil {
					return nil, err
				}
				return process(ctx, r, n, job.workers, func() { time.Sleep(job.takes) })
			},
		}, false, false)...)
	}
	return all
}
