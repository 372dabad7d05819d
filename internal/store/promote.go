package store

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/redis/go-redis/v9"
)

// Promoted is how a queue stands after a Promote.
type Promoted struct {
	Next    time.Duration // until its next message is due; negative when it has none
	Control int64         // version of its settings
	Moved   int           // messages that were due
	Err     error         // the rest is not known: the master of its slot did not answer
}

// Promote is PromoteDue for queues without periodic jobs: it leaves their ticks
// to others.
func (s *Store) Promote(ctx context.Context, queues []*Queue, most int) ([]Promoted, error) {
	stand, _, err := s.PromoteDue(ctx, queues, most)
	return stand, err
}

// PromoteDue moves up to most messages a queue that are due to their streams, and
// returns the ticks of periodic jobs that are due and wait for RunTicks. Safe to
// repeat. It is one call; on a cluster one for each hash tag, and the error is the first
// of theirs: the others have been made all the same.
func (s *Store) PromoteDue(ctx context.Context, queues []*Queue, most int) ([]Promoted, []Tick, error) {
	if len(queues) == 0 {
		return nil, nil, nil
	}
	calls := s.promoteCalls(queues)
	cmds := make([]redis.Cmder, len(calls))
	for i, call := range calls {
		keys := make([]string, 0, 6*len(call.at))
		for _, at := range call.at {
			q := queues[at]
			keys = append(keys, q.scope(q.Delayed, q.Bodies)...)
		}
		cmds[i] = promoteScript.cmd(ctx, keys, most)
	}
	if err := s.pipe.doAll(ctx, cmds); err != nil {
		return nil, nil, classify(err)
	}
	stand := make([]Promoted, len(queues))
	var ticks []Tick
	var first error
	for i, call := range calls {
		reply, err := cmds[i].(*redis.Cmd).Slice()
		if err == nil && len(reply) != 3*len(call.at) {
			err = fmt.Errorf("%w: promote returned %v", errProtocol, reply)
		}
		err = classify(err)
		for i, at := range call.at {
			var due []Tick
			if err == nil {
				stand[at], due, err = promoted(queues[at], reply[3*i:3*i+3])
			}
			if err != nil {
				stand[at] = Promoted{Next: -1, Err: err}
			}
			ticks = append(ticks, due...)
		}
		if first == nil {
			first = err
		}
	}
	return stand, ticks, first
}

// promoteCall is the positions of the queues that one promote.lua looks at.
type promoteCall struct{ at []int }

func (s *Store) promoteCalls(queues []*Queue) []promoteCall {
	var calls []promoteCall
	of := map[string]int{}
	for i, q := range queues {
		tag := ""
		if s.IsCluster() {
			tag = q.Tag
		}
		n, ok := of[tag]
		if !ok {
			n = len(calls)
			of[tag] = n
			calls = append(calls, promoteCall{})
		}
		calls[n].at = append(calls[n].at, i)
	}
	return calls
}

// promoted reads what promote.lua returns of one queue.
func promoted(q *Queue, reply []any) (Promoted, []Tick, error) {
	v, ticks := reply[0], []Tick(nil)
	if list, ok := v.([]any); ok && len(list) >= 2 {
		for _, t := range list[2:] {
			tick, err := newTick(q, integer(list[1]), t)
			if err != nil {
				return Promoted{}, nil, err
			}
			ticks = append(ticks, tick)
		}
		v = list[0]
	}
	return Promoted{Next: waitOf(integer(v)), Control: integer(reply[1]), Moved: int(integer(reply[2]))}, ticks, nil
}

// waitOf is a time in ms that may be further away than a Duration reaches.
func waitOf(ms int64) time.Duration {
	return time.Duration(min(ms, math.MaxInt64/1_000_000)) * time.Millisecond
}
