package scenario

import (
	"context"
	"fmt"
	"slices"

	"github.com/leanmq/leanmq/bench/measure"
	"github.com/leanmq/leanmq/bench/system"
)

// sends: so many callers, each sending one message after another.
func sends() []*Scenario {
	var all []*Scenario
	for _, callers := range []int{1, 16, 100} {
		s := Scenario{
			Name:    fmt.Sprint("send/", callers),
			Title:   "Sending, one message after another",
			About:   callersThat(callers, "send one message after another"),
			Row:     "`Send`, " + atOnce(callers),
			Systems: []system.System{system.LeanMQ, system.Bare, system.BarePlain, system.Asynq, system.Watermill, system.JetStream},
			Main:    measure.Rate,
			Goals:   []Goal{{Metric: measure.Rate, Versus: "bare", AtLeast: 0.95}},
			Run:     func(ctx context.Context, r *Run) ([]measure.Measure, error) { return send(ctx, r, callers) },
		}
		if callers == 100 {
			s.Goals = append(s.Goals, Goal{Metric: measure.Rate, Versus: "asynq", AtLeast: 4})
		}
		all = append(all, variants(s, callers == 100, callers == 100)...)
	}
	return all
}

func send(ctx context.Context, r *Run, callers int) ([]measure.Measure, error) {
	sender := r.Open.(system.Sender)
	return load(r, callers, 1, func() error { return sender.Send(ctx, r.Payload) })
}

// sendManys: one caller that sends 200 messages at a time.
func sendManys() []*Scenario {
	return variants(Scenario{
		Name:    "sendmany",
		Title:   "Sending 200 messages at a time",
		About:   "one caller sends 200 messages at a time",
		Row:     "`SendMany` by 200",
		Systems: []system.System{system.LeanMQ, system.Bare, system.Watermill, system.JetStream},
		Main:    measure.Rate,
		Goals:   []Goal{{Metric: measure.Rate, Versus: "bare", AtLeast: 0.9}},
		Run: func(ctx context.Context, r *Run) ([]measure.Measure, error) {
			sender := r.Open.(system.BatchSender)
			batch := slices.Repeat([][]byte{r.Payload}, 200)
			return load(r, 1, len(batch), func() error { return sender.SendMany(ctx, batch) })
		},
	}, true, true)
}

// load measures callers of f, which sends so many messages, after a while of the
// same to warm up.
func load(r *Run, callers, messages int, f func() error) ([]measure.Measure, error) {
	each := func(int) error { return f() }
	warm := measure.Load{Callers: callers, For: r.Scale.Time / 4, Max: max(r.maxMessages()/messages/4, 1)}
	if _, err := warm.Run(each); err != nil {
		return nil, err
	}
	span, err := measure.Begin(r.Env.Redis)
	if err != nil {
		return nil, err
	}
	calls, err := measure.Load{Callers: callers, For: r.Scale.Time, Max: max(r.maxMessages()/messages, 1)}.Run(each)
	if err != nil {
		return nil, err
	}
	costs, err := span.End(len(calls.Took) * messages)
	rate := calls.Rate("msg/s")
	rate.Value *= float64(messages)
	return slices.Concat([]measure.Measure{rate}, measure.Latencies(calls.Took), costs), err
}

func atOnce(n int) string {
	if n == 1 {
		return "one at a time"
	}
	return fmt.Sprint(n, " at once")
}

func callersThat(n int, do string) string {
	if n == 1 {
		return "one caller: " + do
	}
	return fmt.Sprintf("%d callers at once: %s", n, do)
}
