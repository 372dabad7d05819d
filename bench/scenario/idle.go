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
			Title:   "From a send to its handler in an idle system",
			About:   fmt.Sprintf("one message at a time; routes (queues, topics) in the process: %d", routes),
			Row:     fmt.Sprint("idle send → handler, routes: ", routes),
			Systems: []system.System{system.LeanMQ, system.Bare, system.Asynq, system.Watermill, system.JetStream},
			Main:    measure.P50,
			Lower:   true,
			Times:   3,
			Goals: []Goal{
				{Metric: measure.P50, Versus: "bare", AtMost: limit},
				{Metric: measure.P99, Versus: "bare", AtMost: limit},
			},
			Run: func(ctx context.Context, r *Run) ([]measure.Measure, error) { return idle(ctx, r, routes) },
		}, false, false)...)
	}
	return all
}

// quiet is how long everything rests between two messages: long enough that what came
// of the last one, such as a read of a thousand streams, is over.
const quiet = 2 * time.Millisecond

func idle(ctx context.Context, r *Run, routes int) (ms []measure.Measure, err error) {
	router := r.Open.(system.Router)
	arrived := make(chan time.Time, routes)
	stop, err := router.Route(ctx, routes, func() { arrived <- time.Now() })
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	// A message for every route: now all of them are at work, with their scripts
	// and connections.
	for i := range routes {
		if err := router.SendTo(ctx, i, r.Payload); err != nil {
			return nil, err
		}
	}
	for range routes {
		if _, err := next(ctx, arrived); err != nil {
			return nil, err
		}
	}
	ping := func(route int) (time.Duration, error) {
		time.Sleep(quiet)
		sent := time.Now()
		if err := router.SendTo(ctx, route, r.Payload); err != nil {
			return 0, err
		}
		at, err := next(ctx, arrived)
		return at.Sub(sent), err
	}
	var took []time.Duration
	warm := r.Scale.Time / 4
	for begin := time.Now(); time.Since(begin) < warm+r.Scale.Time || len(took) < 10; {
		d, err := ping(len(took) * 7 % routes)
		if err != nil {
			return nil, err
		}
		if time.Since(begin) > warm {
			took = append(took, d)
		}
	}
	return measure.Latencies(took), nil
}

// next waits for a message to be handled.
func next(ctx context.Context, arrived <-chan time.Time) (time.Time, error) {
	select {
	case at := <-arrived:
		return at, nil
	case <-time.After(patience):
		return time.Time{}, fmt.Errorf("not handled in %v", patience)
	case <-ctx.Done():
		return time.Time{}, context.Cause(ctx)
	}
}
