package leanmq

import (
	"context"
	"time"
)

// Scheduled is a message that waits for its time.
type Scheduled struct {
	Message Message
	Due     time.Time // by the server's clock
}

// Scheduled returns up to n scheduled messages, retries included, the next one
// due first.
func (q *Queue) Scheduled(ctx context.Context, n int) ([]Scheduled, error) {
	if q.err != nil {
		return nil, q.wrap("scheduled", "", q.err)
	}
	if err := checkCount(n); err != nil {
		return nil, q.wrap("scheduled", "", err)
	}
	entries, err := q.sq.Scheduled(ctx, 0, n)
	out := make([]Scheduled, len(entries))
	for i := range entries {
		out[i] = Scheduled{Message: *q.show(&entries[i]), Due: entries[i].Due}
	}
	return out, q.wrap("scheduled", "", err)
}

// ScheduledMessage returns the scheduled message with this ID, or [ErrNotFound]
// when there is none (any more). While several with the same ID are scheduled it
// is the one that was first.
func (q *Queue) ScheduledMessage(ctx context.Context, id string) (*Scheduled, error) {
	if q.err != nil {
		return nil, q.wrap("scheduled", id, q.err)
	}
	e, err := q.sq.ScheduledMessage(ctx, id)
	if err == nil && e == nil {
		err = ErrNotFound
	}
	if err != nil {
		return nil, q.wrap("scheduled", id, err)
	}
	return &Scheduled{Message: *q.show(e), Due: e.Due}, nil
}

// CancelScheduled deletes the scheduled message with this ID, a waiting retry as
// well: it is never delivered (again). [ErrNotFound] means that none is scheduled:
// it was delivered, or canceled before, perhaps by a call of this that ended with
// [ErrUnknown]. An [ID] stays remembered for its [Dedupe] window all the same.
func (q *Queue) CancelScheduled(ctx context.Context, id string) error {
	if q.err != nil {
		return q.wrap("cancel", id, q.err)
	}
	found, err := q.sq.CancelScheduled(ctx, id)
	if err == nil && !found {
		err = ErrNotFound
	}
	return q.wrap("cancel", id, err)
}

// Reschedule moves the scheduled message with this ID to another time, earlier or
// later; one that has passed is now. [ErrNotFound] means that none is scheduled
// (any more). It is safe to repeat.
func (q *Queue) Reschedule(ctx context.Context, id string, at time.Time) error {
	if q.err != nil {
		return q.wrap("reschedule", id, q.err)
	}
	found, err := q.sq.Reschedule(ctx, id, at)
	if err == nil && !found {
		err = ErrNotFound
	}
	return q.wrap("reschedule", id, err)
}
