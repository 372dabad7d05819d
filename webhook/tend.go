package webhook

import (
	"context"
	"time"
)

// tendEvery is how often a service looks after its routes and the parked messages:
// a safety net, for notices announce what there is to do. Tests do not wait for so
// long.
var tendEvery = 5 * time.Second

// tendPause is the least time between two looks: every parked message announces
// itself, and a look reads all of them.
const tendPause = 100 * time.Millisecond

// tend keeps the service reachable while it runs: it registers its routes again
// when a Redis has lost them, and adopts the messages that were parked.
func (s *Service) tend(ctx context.Context) {
	now := make(chan struct{}, 1)
	stop := s.mq.OnNotice(func(notice string) {
		if notice == "" || notice == "parked" || notice == "lost" {
			select {
			case now <- struct{}{}:
			default:
			}
		}
	})
	defer stop()
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-now:
		}
		// A failure is mended by the next round; the consumers report outages.
		again, _ := s.tendOnce(ctx)
		t.Reset(again)
		select {
		case <-ctx.Done():
		case <-time.After(tendPause):
		}
	}
}

func (s *Service) tendOnce(ctx context.Context) (again time.Duration, err error) {
	t := tableOf(s.mq)
	snap, err := t.get(ctx, 0)
	if err != nil {
		return tendEvery, err
	}
	if !s.registered(snap) {
		// A pattern that another service has got in the meantime stays with that one.
		_ = s.publish(ctx)
	}
	return s.adopt(ctx)
}

// registered reports whether all the service's queues are in the route table. The
// names of wildcards do not count: two versions of a service that differ in them
// would replace each other's for ever.
func (s *Service) registered(snap *snapshot) bool {
	own := map[string]bool{}
	for _, r := range snap.routes {
		own[r.Queue.Name()] = r.Service == s.name
	}
	for _, rt := range s.routes {
		if !own[s.mq.Queue(queueOf(s.name, rt.pattern)).Name()] {
			return false
		}
	}
	return true
}
