package scenario

import (
	"context"
	"errors"

	"github.com/leanmq/leanmq/bench/measure"
	"github.com/leanmq/leanmq/bench/system"
)

// memories: what a waiting message takes of Redis' memory, payload included.
func memories() []*Scenario {
	return variants(Scenario{
		Name:    "memory",
		Title:   "Memory of a waiting message, payload included",
		About:   "what a waiting message takes, its payload included: of Redis' memory, or on JetStream's disk",
		Row:     "a queued message",
		Systems: []system.System{system.LeanMQ, system.Bare, system.Asynq, system.Watermill, system.JetStream},
		Main:    "memory",
		Lower:   true,
		Goals: []Goal{
			{Metric: "memory", Versus: "bare", AtMost: 1.1},
			{Metric: "memory", Versus: "asynq", AtMost: 0.45},
		},
		Run: memory,
	}, true, false)
}

func memory(ctx context.Context, r *Run) ([]measure.Measure, error) {
	n := min(r.Scale.Memory, r.maxMessages())
	if disk, ok := r.Open.(system.Stored); ok {
		if _, err := fill(ctx, r, n, 0); err != nil {
			return nil, err
		}
		total, err := disk.StoredBytes(ctx)
		return []measure.Measure{{Metric: "disk", Unit: "B/msg", Value: total / float64(n)}}, err
	}
	// What the first messages bring along, such as keys and connections, is not
	// theirs.
	if _, err := fill(ctx, r, 200, 0); err != nil {
		return nil, err
	}
	before, err := r.Env.Redis.Usage()
	if err != nil {
		return nil, err
	}
	sent, err := fill(ctx, r, n, 0)
	if err != nil {
		return nil, err
	}
	if sent != n {
		return nil, errors.New("not all messages were sent")
	}
	after, err := r.Env.Redis.Usage()
	return []measure.Measure{{Metric: "memory", Unit: "B/msg", Value: (after.Memory - before.Memory) / float64(n)}}, err
}
