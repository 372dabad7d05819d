package scenario

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leanmq/leanmq/bench/measure"
	"github.com/leanmq/leanmq/bench/system"
)

// idles: how long a message takes from its send to its handler while nothing else
// happens, in a process that serves so many routes.
func idles() []*Scenario {
	var all []*Scenario
	for _, routes := range []int{1, 100, 1000} {
		limit := 1.3
		if routes == 1 {
			limit = 1.15
		}
		all = append(all, variants(Scenario{
			Name:    fmt.Sprint("idle/", routes),
			About:   fmt.Sprintf("from a send to its handler, one message at a time, with %d routes (queues, topics) in one process", routes),
			Systems: []system.System{system.LeanMQ, system.Bare, system.Asynq, system.Watermill, system.JetStream},
			Main:    measure.P50,
			Lower:   true,
			Goals: []Goal{
				{Metric: measure.P50, Versus: "bare", AtMost: limit},
				{Metric: measure.P99, Versus: "bare", AtMost: limit},
			},
			Run: func(ctx context.Context, r *Run) ([]measure.Measure, error) { return idle(ctx, r, routes) },
		}, false, false)...)
	}
	return all
}

// quiet is how long everything rests between two messages.
const quiet = 200 * time.Microsecond

func idle(ctx context.Context, r *Run, routes int) (ms []measure.Measure, err error) {
	router := r.Open.(system.Router)
	arrived := make(chan time.Time, 1)
	stop, err := router.Route(ctx, routes, func() { arrived <- time.Now() })
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	var took []time.Duration
	pings := func(d time.Duration) error {
		took = took[:0]
		for begin := time.Now(); time.Since(begin) < d || len(took) < 10; time.Sleep(quiet) {
			sent := time.Now()
			if err := router.SendTo(ctx, len(took)*7%routes, r.Payload); err != nil {
				return err
			}
			select {
			case at := <-arrived:
				took = append(took, at.Sub(sent))
			case <-time.After(patience):
				return fmt.Errorf("not handled in %v", patience)
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	}
	if err := pings(r.Scale.Time / 4); err != nil { // connections, scripts
		return nil, err
	}
	if err := pings(r.Scale.Time); err != nil {
		return nil, err
	}
	return measure.Latencies(took), nil
}
