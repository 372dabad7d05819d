package scenario

import (
	"context"
	"errors"
	"time"

	"github.com/leanmq/leanmq/bench/measure"
	"github.com/leanmq/leanmq/bench/system"
)

// processes: fetch, a handler that does nothing, settle, from a queue that was
// filled before. With one worker as well: who needs messages in order has no more, and
// watermill's documentation shows one subscriber.
func processes() []*Scenario {
	best := processing("process", "fetch, handle (nothing to do) and settle what waits in a queue", "fetch, handle, settle", system.Best)
	best.Goals = []Goal{
		{Metric: measure.Rate, Versus: "bare", AtLeast: 0.85},
		{Metric: measure.Rate, Versus: "asynq", AtLeast: 15},
		{Metric: measure.Rate, Versus: "watermill", AtLeast: 15},
		{Metric: measure.Rate, Versus: "jetstream", AtLeast: 1.3},
	}
	one := processing("process/1", "the same with one worker", "fetch, handle, settle, one worker", 1)
	return append(variants(best, true, true), variants(one, false, false)...)
}

func processing(name, about, row string, workers int) Scenario {
	return Scenario{
		Name: name, About: about, Row: row,
		Title:   "Processing what waits: fetch, handle, settle",
		Systems: []system.System{system.LeanMQ, system.Bare, system.Asynq, system.Watermill, system.JetStream},
		Main:    measure.Rate,
		Run: func(ctx context.Context, r *Run) ([]measure.Measure, error) {
			n, err := fill(ctx, r, min(r.Scale.Fill, r.maxMessages()), 2*r.Scale.Time)
			if err != nil {
				return nil, err
			}
			return process(ctx, r, n, workers, func() {})
		},
	}
}

// process measures the handling of n messages that wait, for the time of the scale
// at most. The time before the first one does not count.
func process(ctx context.Context, r *Run, n, workers int, handle func()) ([]measure.Measure, error) {
	span, err := measure.Begin(r.Env.Redis)
	if err != nil {
		return nil, err
	}
	handled, took, costs, err := consume(ctx, r, n, workers, handle, span)
	if err != nil {
		return nil, err
	}
	return append([]measure.Measure{{Metric: measure.Rate, Unit: "msg/s", Value: float64(handled) / took.Seconds()}}, costs...), nil
}

func consume(ctx context.Context, r *Run, n, workers int, handle func(), span *measure.Span) (handled int, took time.Duration, costs []measure.Measure, err error) {
	t := newTally()
	stop, err := r.Open.(system.Consumer).Consume(ctx, workers, func() {
		handle()
		t.add()
	})
	if err != nil {
		return 0, 0, nil, err
	}
	handled, took, err = t.await(ctx, n, r.Scale.Time)
	if span != nil && err == nil {
		costs, err = span.End(handled + 1)
	}
	return handled, took, costs, errors.Join(err, stop())
}
