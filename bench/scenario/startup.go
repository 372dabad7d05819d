package scenario

import (
	"context"
	"errors"
	"time"

	"github.com/leanmq/leanmq/bench/measure"
	"github.com/leanmq/leanmq/bench/system"
)

// startups: how soon a process with 1,000 routes is at work.
func startups() []*Scenario {
	return variants(Scenario{
		Name:    "startup",
		Title:   "Start of a process with 1,000 routes",
		About:   "a process that serves 1,000 routes starts: until it says that it is ready, and until it has handled a message to the last route",
		Row:     "start with 1,000 routes",
		Systems: []system.System{system.LeanMQ, system.Bare, system.Asynq, system.Watermill, system.JetStream},
		Main:    "at work",
		Lower:   true,
		Goals:   []Goal{{Metric: "at work", AtMost: 200}},
		Run:     startup,
	}, false, false)
}

func startup(ctx context.Context, r *Run) (ms []measure.Measure, err error) {
	const routes = 1000
	router := r.Open.(system.Router)
	t := newTally()
	begin := time.Now()
	stop, err := router.Route(ctx, routes, t.add)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	ready := time.Since(begin)
	if err := router.SendTo(ctx, routes-1, r.Payload); err != nil {
		return nil, err
	}
	if _, _, err := t.await(ctx, 1, 0); err != nil {
		return nil, err
	}
	return []measure.Measure{
		{Metric: "at work", Unit: "ms", Value: time.Since(begin).Seconds() * 1e3},
		{Metric: "ready", Unit: "ms", Value: ready.Seconds() * 1e3},
	}, nil
}
