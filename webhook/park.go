package webhook

import (
	"context"
	"time"

	"github.com/leanmq/leanmq/internal/store"
	"github.com/leanmq/leanmq/leanmq"
)

const (
	// MaxParked is how many messages may wait for a path to be registered; then
	// Send returns leanmq.ErrQueueFull.
	MaxParked = 10_000
	// unrouted is the queue that they wait in.
	unrouted = "unrouted"
	// adoptWindow is how long a parked message that was moved is remembered, so
	// that a crash between its two steps does not double it.
	adoptWindow = 24 * time.Hour
	parkedPage  = 500
)

// park keeps a message until a service registers its path.
func park(ctx context.Context, mq *leanmq.Client, body []byte, opts []leanmq.SendOption) (string, error) {
	q := mq.Queue(unrouted, leanmq.MaxLen(MaxParked), leanmq.DedupeByTarget(), leanmq.Parking(store.Parking{}))
	id, err := q.Send(ctx, body, opts...)
	if err == nil {
		_ = mq.Store().Notify(ctx, "parked")
	}
	return id, err
}

// adopt moves parked messages to the service's queues, if the route table says that
// they are for it. It returns when to look again.
func (s *Service) adopt(ctx context.Context) (again time.Duration, err error) {
	parked, err := s.mq.Store().Queue(unrouted)
	if err != nil {
		return tendEvery, err
	}
	due, err := s.mq.Store().Promote(ctx, []*store.Queue{parked}, parkedPage)
	if err != nil {
		return tendEvery, err
	}
	again = tendEvery
	if due[0].Next >= 0 {
		again = min(again, due[0].Next)
	}
	for after := ""; ; {
		page, err := parked.Waiting(ctx, after, parkedPage)
		if err != nil || len(page) == 0 {
			return again, err
		}
		// After the messages: whoever registered before they were sent is in it.
		snap, err := tableOf(s.mq).get(ctx, 0)
		if err != nil {
			return again, err
		}
		for i := range page {
			if err := s.adoptOne(ctx, snap, parked, &page[i]); err != nil {
				return again, err
			}
		}
		after = page[len(page)-1].Entry
	}
}

// adoptOne moves a message if it is ours. The two queues may be on different
// nodes of a cluster, so it is sent first, at most once, and then taken away.
func (s *Service) adoptOne(ctx context.Context, snap *snapshot, parked *store.Queue, e *store.Entry) error {
	method, path, _ := splitTarget(e.Target)
	r, _, ok := snap.tree.match(method, path)
	if !ok || r.Service != s.name || e.Malformed != nil {
		return nil
	}
	to, err := s.mq.Store().Queue(r.Queue.Name())
	if err != nil {
		return err
	}
	terms := store.SendTerms{Window: adoptWindow, Scope: "parked " + e.Entry}
	if e.ID == "" {
		e.ID = e.Entry
	} else if left, err := parked.Remembered(ctx, e.Target, e.ID); err != nil {
		return err
	} else if left > 0 {
		terms = store.SendTerms{Window: left} // from here on its own queue remembers it
	}
	if e.Created == 0 {
		e.Created = store.EntryTime(e.Entry)
	}
	if err := parked.Unpark(ctx, &e.Envelope, &terms); err != nil {
		return err
	}
	if r := to.SendIf(ctx, []store.Envelope{e.Envelope}, terms)[0]; r.Err != nil {
		return r.Err
	}
	return parked.Remove(ctx, e.Entry)
}
