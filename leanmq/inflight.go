package leanmq

import (
	"context"
	"time"
)

// InFlight is a message that a worker has.
type InFlight struct {
	Message  Message
	Worker   string        // the process that has it
	Idle     time.Duration // since its lease was last renewed
	Progress string
}

// InFlight returns up to n (1 to 10000) messages that workers have, those of normal
// priority first, the oldest first.
func (q *Queue) InFlight(ctx context.Context, n int) ([]InFlight, error) {
	if q.err != nil {
		return nil, q.wrap("in flight", "", q.err)
	}
	if err := checkCount(n); err != nil {
		return nil, q.wrap("in flight", "", err)
	}
	settings, err := q.sq.Control(ctx)
	if err != nil {
		return nil, q.wrap("in flight", "", err)
	}
	var out []InFlight
	streams := q.sources(nil)
	for _, level := range settings.Levels {
		streams = append(streams, &source{q: q.sq.Level(level)})
	}
	for _, s := range streams {
		found, err := s.q.InFlight(ctx, n-len(out))
		if err != nil {
			return nil, q.wrap("in flight", "", err)
		}
		for i := range found {
			f := &found[i]
			out = append(out, InFlight{*newMessage(q.name, &f.Entry), f.Worker, f.Idle, f.Progress})
		}
		if len(out) >= n {
			break
		}
	}
	return out, nil
}
