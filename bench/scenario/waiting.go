package scenario

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/leanmq/leanmq/bench/measure"
	"github.com/leanmq/leanmq/bench/system"
)

// waitings: what a request that waits for its answer takes of the caller's memory,
// its goroutine included.
func waitings() []*Scenario {
	return variants(Scenario{
		Name:    "waiting",
		Title:   "Memory of a waiting request",
		About:   "memory that a request takes while it waits for its answer, its goroutine included",
		Row:     "a waiting `Request`",
		Systems: []system.System{system.LeanMQ, system.Bare, system.Micro},
		Main:    "each",
		Lower:   true,
		Goals:   []Goal{{Metric: "each", AtMost: 8192}},
		Run:     waiting,
	}, false, false)
}

func waiting(ctx context.Context, r *Run) (ms []measure.Measure, err error) {
	silence := r.Open.(system.Silence)
	stop, err := silence.Silent(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, r.Scale.Waiting)
	before := measure.LiveBytes()
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = silence.Request(ctx, r.Payload) })
	}
	total := steady(measure.LiveBytes) - before
	cancel()
	wg.Wait()
	for _, err := range errs {
		if !errors.Is(err, context.Canceled) {
			return nil, fmt.Errorf("a request that should have waited: %w", err)
		}
	}
	return []measure.Measure{{Metric: "each", Unit: "B", Value: total / float64(len(errs))}}, nil
}

// steady returns a figure that has come to rest.
func steady(figure func() float64) float64 {
	last, rested := figure(), 0
	for begin := time.Now(); rested < 3 && time.Since(begin) < patience/4; {
		time.Sleep(30 * time.Millisecond)
		now := figure()
		if math.Abs(now-last) < 0.005*last {
			rested++
		} else {
			rested = 0
		}
		last = now
	}
	return last
}
