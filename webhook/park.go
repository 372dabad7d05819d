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
	// adoptEvery is how often a service looks for messages parked just while it
	// registered: a safety net, for a notice announces them as well.
	adoptEvery = 5 * time.Second
	// adoptWindow is how long a parked message that was moved is remembered, so
	// that a crash between its two steps does not double it.
	adoptWindow = 24 * time.Hour
	parkedPage  = 500
)

// park keeps a message until a service registers its path.
func park(ctx context.Context, mq *leanmq.Client, body []byte, opts []leanmq.SendOption) (string, error) {
	id, err := mq.Queue(unrouted, leanmq.MaxLen(MaxParked)).Send(ctx, body, opts...)
	if err == nil {
		_ = mq.Store().Notify(ctx, "parked")
	}
	return id, err
}

// adoptParked moves parked messages to the service's queues: those that are
// there, and those that come while it runs.
func (s *Service) adoptParked(ctx context.Context) {
	now := make(chan struct{}, 1)
	stop := s.mq.OnNotice(func(notice string) {
		if notice == "" || notice == "parked" {
			select {
			case now <- struct{}{}:
			default:
			}
		}
	})
	defer stop()
	t := time.NewTicker(adoptEvery)
	defer t.Stop()
	for {
		// A failure is mended by the next round; the consumers report outages.
		_ = s.adopt(ctx)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-now:
		}
	}
}

func (s *Service) adopt(ctx context.Context) error {
	parked, err := s.mq.Store().Queue(unrouted)
	if err != nil {
		return err
	}
	if _, err := s.mq.Store().Promote(ctx, []*store.Queue{parked}, parkedPage); err != nil {
		return err
	}
	for after := ""; ; {
		page, err := parked.Waiting(ctx, after, parkedPage)
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			if err := s.adoptOne(ctx, parked, &page[i]); err != nil {
				return err
			}
		}
		after = page[len(page)-1].Entry
	}
}

// adoptOne moves a message if it is ours. The two queues may be on different
// nodes of a cluster, so it is sent first, at most once, and then taken away.
func (s *Service) adoptOne(ctx context.Context, parked *store.Queue, e *store.Entry) error {
	method, path, _ := splitTarget(e.Target)
	rt, _, ok := s.tree.match(method, path)
	if !ok || e.Malformed != nil {
		return nil
	}
	to, err := s.mq.Store().Queue(queueOf(s.name, rt.pattern))
	if err != nil {
		return err
	}
	if e.ID == "" {
		e.ID = e.Entry
	}
	if e.Created == 0 {
		e.Created = store.EntryTime(e.Entry)
	}
	if r := to.SendIf(ctx, []store.Envelope{e.Envelope}, store.SendTerms{Window: adoptWindow})[0]; r.Err != nil {
		return r.Err
	}
	return parked.Remove(ctx, e.Entry)
}
