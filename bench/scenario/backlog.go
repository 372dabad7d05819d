package scenario

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/leanmq/leanmq/bench/measure"
	"github.com/leanmq/leanmq/bench/system"
)

// backlogs: whether a long queue is processed as fast as a short one.
func backlogs() []*Scenario {
	return variants(Scenario{
		Name:    "backlog",
		Title:   "Processing while a million messages wait",
		About:   "rate of processing while few or many messages wait; kept: the longest queue's share of the best rate",
		Row:     "rate with 1,000,000 waiting, of the best with fewer",
		Systems: []system.System{system.LeanMQ, system.Bare, system.JetStream},
		Main:    "kept",
		Once:    true,
		Goals:   []Goal{{Metric: "kept", AtLeast: 0.9}},
		Run:     backlog,
	}, false, false)
}

func backlog(ctx context.Context, r *Run) ([]measure.Measure, error) {
	ms := []measure.Measure{{Metric: "kept", Unit: "×"}}
	best := 0.0
	for _, waiting := range r.Scale.Backlog {
		// A short queue is gone in no time: it is filled again and again.
		var handled int
		var took time.Duration
		for begin := time.Now(); took < r.Scale.Time/2 && time.Since(begin) < 4*r.Scale.Time; {
			if _, err := fill(ctx, r, waiting, 0); err != nil {
				return nil, err
			}
			n, t, _, err := consume(ctx, r, waiting, system.Best, func() {}, nil)
			if err != nil {
				return nil, err
			}
			handled, took = handled+n, took+t
		}
		rate := float64(handled) / took.Seconds()
		best = max(best, rate)
		ms = append(ms, measure.Measure{Metric: "at " + short(waiting), Unit: "msg/s", Value: rate})
		ms[0].Value = rate / best
	}
	return ms, nil
}

// short writes 1,000,000 as 1M.
func short(n int) string {
	switch {
	case n >= 1_000_000 && n%1_000_000 == 0:
		return fmt.Sprint(n/1_000_000, "M")
	case n >= 1_000 && n%1_000 == 0:
		return fmt.Sprint(n/1_000, "k")
	}
	return strconv.Itoa(n)
}
