package store

import (
	"context"
	"errors"
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

// Scheduled returns up to n scheduled messages, the next one due first,
// skipping the first offset.
func (q *Queue) Scheduled(ctx context.Context, offset, n int) ([]Entry, error) {
	var out []Entry
	for at := 0; len(out) < offset+n; {
		page := offset + n - len(out)
		tokens, err := q.tokens(ctx, at, page)
		if err != nil {
			return nil, err
		}
		entries, err := q.scheduled(ctx, tokens)
		if err != nil {
			return nil, err
		}
		out = append(out, entries...)
		if at += len(tokens); len(tokens) < page {
			break
		}
	}
	return out[min(offset, len(out)):], nil
}

// tokens reads a page of what is scheduled, by due time.
func (q *Queue) tokens(ctx context.Context, offset, n int) ([]redis.Z, error) {
	cmd := redis.NewZSliceCmd(ctx, "ZRANGE", q.Delayed, offset, offset+n-1, "WITHSCORES")
	if err := q.s.pipe.do(ctx, cmd); err != nil {
		return nil, classify(err)
	}
	found, err := cmd.Result()
	return found, classify(err)
}

// scheduled reads the messages of tokens, without those that became due in
// between and without the ticks of periodic jobs.
func (q *Queue) scheduled(ctx context.Context, tokens []redis.Z) ([]Entry, error) {
	if len(tokens) == 0 {
		return nil, nil
	}
	args := []any{"HMGET", q.Bodies}
	for _, z := range tokens {
		args = append(args, z.Member)
	}
	bodies := redis.NewSliceCmd(ctx, args...)
	if err := q.s.pipe.do(ctx, bodies); err != nil {
		return nil, classify(err)
	}
	if err := bodies.Err(); err != nil {
		return nil, classify(err)
	}
	out := make([]Entry, 0, len(tokens))
	for i, body := range bodies.Val() {
		if text, ok := body.(string); ok {
			token, _ := tokens[i].Member.(string)
			out = append(out, newScheduled(token, tokens[i].Score, text))
		}
	}
	return out, nil
}

func newScheduled(token string, due float64, body string) Entry {
	e := Entry{Entry: token, Due: time.UnixMilli(int64(due))}
	fields, err := UnpackFields(body)
	if err == nil {
		e.Envelope, err = DecodeEnvelope(fields)
	}
	e.Malformed = err
	return e
}

// ScheduledMessage returns the scheduled message with this id, or nil.
func (q *Queue) ScheduledMessage(ctx context.Context, id string) (*Entry, error) {
	due := redis.NewFloatCmd(ctx, "ZSCORE", q.Delayed, id)
	body := redis.NewStringCmd(ctx, "HGET", q.Bodies, id)
	if err := q.s.pipe.doAll(ctx, []redis.Cmder{due, body}); err != nil {
		return nil, classify(err)
	}
	for _, err := range []error{due.Err(), body.Err()} {
		if errors.Is(err, redis.Nil) {
			return nil, nil
		}
		if err != nil {
			return nil, classify(err)
		}
	}
	e := newScheduled(id, due.Val(), body.Val())
	if e.ID != id {
		return nil, nil // a token that is another message's
	}
	return &e, nil
}

// CancelScheduled deletes the scheduled message with this id and reports whether
// there was one.
func (q *Queue) CancelScheduled(ctx context.Context, id string) (found bool, err error) {
	v, err := q.s.eval(ctx, cancelScheduledScript, q.scope(q.Delayed, q.Bodies), id)
	return integer(v) == 1, err
}

// Reschedule moves the scheduled message with this id to another time and reports
// whether there was one. Safe to repeat.
func (q *Queue) Reschedule(ctx context.Context, id string, due time.Time) (found bool, err error) {
	v, err := q.s.eval(ctx, rescheduleScript, []string{q.Delayed, q.Bodies},
		q.Notices(), q.Name, id, dueMs(due))
	return integer(v) == 1, err
}
