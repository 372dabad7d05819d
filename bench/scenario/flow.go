package scenario

import (
	"context"
	"errors"

	"github.com/leanmq/leanmq/bench/measure"
	"github.com/leanmq/leanmq/bench/system"
)

// flows: 100 callers send while the messages are processed. What is measured ends
// when the last one was handled.
func flows() []*Scenario {
	return variants(Scenario{
		Name:    "flow",
		Title:   "Sending and processing at once",
		About:   "100 callers send while the messages are handled, until all are",
		Row:     "send and handle at once",
		Systems: []system.System{system.LeanMQ, system.Bare, system.Asynq, system.Watermill, system.JetStream},
		Main:    measure.Rate,
		Goals:   []Goal{{Metric: measure.Rate, Versus: "bare", AtLeast: 0.85}},
		Run:     flow,
	}, false, true)
}

func flow(ctx context.Context, r *Run) (ms []measure.Measure, err error) {
	sender := r.Open.(system.Sender)
	t := newTally()
	stop, err := r.Open.(system.Consumer).Consume(ctx, system.Best, t.add)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	once := func(int) error { return sender.Send(ctx, r.Payload) }
	warm, err := measure.Load{Callers: 100, For: r.Scale.Time / 4}.Run(once)
	if err != nil {
		return nil, err
	}
	if _, _, err := t.await(ctx, len(warm.Took), 0); err != nil {
		return nil, err
	}
	span, err := measure.Begin(r.Env.Redis)
	if err != nil {
		return nil, err
	}
	before := t.n.Load()
	calls, err := measure.Load{Callers: 100, For: r.Scale.Time}.Run(once)
	if err != nil {
		return nil, err
	}
	if _, _, err := t.await(ctx, int(before)+len(calls.Took), 0); err != nil {
		return nil, err
	}
	calls.Elapsed = span.Took()
	costs, err := span.End(len(calls.Took))
	return append([]measure.Measure{calls.Rate("msg/s")}, costs...), err
}
