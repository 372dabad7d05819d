package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/leanmq/leanmq/bench/measure"
	"github.com/leanmq/leanmq/bench/report"
	"github.com/leanmq/leanmq/bench/scenario"
	"github.com/leanmq/leanmq/bench/server"
	"github.com/leanmq/leanmq/bench/system"
)

// measureScenario runs a scenario with all its systems, as many rounds as the scale and
// the scenario say, each in another order: what the machine does meanwhile hits all
// alike. A system that fails is left out of further rounds.
func measureScenario(ctx context.Context, s *scenario.Scenario, scale scenario.Scale, results *report.Results) map[string]error {
	failed := map[string]error{}
	order := slices.Clone(s.Systems)
	rounds := scale.Rounds * max(s.Times, 1)
	if s.Once {
		rounds = 1
	}
	for range rounds {
		for _, sys := range order {
			if failed[sys.Name] != nil || ctx.Err() != nil {
				continue
			}
			ms, err := measureSystem(ctx, s, sys, scale)
			if err != nil {
				failed[sys.Name] = err
				continue
			}
			results.Add(s.Name, sys.Name, ms)
		}
		order = append(order[1:], order[0])
	}
	return failed
}

// runLimit bounds a single run: one that hangs must not hang the rest.
const runLimit = 10 * time.Minute

// measureSystem runs a scenario once, on fresh servers.
func measureSystem(ctx context.Context, s *scenario.Scenario, sys system.System, scale scenario.Scale) (ms []measure.Measure, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, runLimit, fmt.Errorf("a run took longer than %v", runLimit))
	defer cancel()
	dir, err := os.MkdirTemp("", "leanmq-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := scenario.Run{Scale: scale, Payload: payload(s.Payload)}
	switch sys.Needs {
	case system.Redis:
		if r.Env.Redis, err = server.StartRedis(dir, s.Durable); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, r.Env.Redis.Stop()) }()
	case system.NATS:
		if r.Env.NATS, err = server.StartNATS(dir, s.Durable); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, r.Env.NATS.Stop()) }()
	}
	if r.Open, err = sys.Open(ctx, r.Env); err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	defer func() { err = errors.Join(err, r.Open.Close()) }()
	return s.Run(ctx, &r)
}

// payload is text that no HTTP head ends with.
func payload(size int) []byte {
	p := make([]byte, size)
	for i := range p {
		p[i] = "abcdefghijklmnopqrstuvwxyz012345"[(i*7+i/32)%32]
	}
	return p
}
