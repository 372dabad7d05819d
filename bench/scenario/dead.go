package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/leanmq/leanmq/bench/measure"
	"github.com/leanmq/leanmq/bench/system"
)

// deads: looking at all dead letters, and sending them again.
func deads() []*Scenario {
	return variants(Scenario{
		Name:    "dead",
		Title:   "Sending dead letters again",
		About:   "list all dead letters, then send them again; heap: the most that this process took for it (asynq keeps no more than 10,000)",
		Row:     "dead letters sent again, of 1,000,000",
		Systems: []system.System{system.LeanMQ, system.Bare, system.Asynq},
		Main:    "requeue",
		Once:    true,
		Goals: []Goal{
			{Metric: "requeue", AtLeast: 100_000},
			{Metric: "heap", AtMost: 64},
		},
		Run: dead,
	}, false, false)
}

func dead(ctx context.Context, r *Run) ([]measure.Measure, error) {
	graves := r.Open.(system.Graveyard)
	n := r.Scale.Dead
	if b, ok := r.Open.(system.Bounded); ok {
		n = min(n, b.MaxDead())
	}
	if err := graves.Bury(ctx, n, r.Payload); err != nil {
		return nil, err
	}
	heap := measure.WatchHeap()
	defer heap.Peak()
	begin := time.Now()
	listed, err := graves.ListDead(ctx)
	if err != nil {
		return nil, err
	}
	listing := time.Since(begin)
	begin = time.Now()
	requeued, err := graves.RequeueDead(ctx)
	if err != nil {
		return nil, err
	}
	requeueing := time.Since(begin)
	if listed != n || requeued != n {
		return nil, fmt.Errorf("%d dead letters: %d were listed and %d requeued", n, listed, requeued)
	}
	return []measure.Measure{
		{Metric: "requeue", Unit: "/s", Value: float64(n) / requeueing.Seconds()},
		{Metric: "list", Unit: "/s", Value: float64(n) / listing.Seconds()},
		{Metric: "heap", Unit: "MB", Value: heap.Peak() / 1e6},
	}, nil
}
