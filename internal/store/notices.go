package store

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// Listen calls each for every notice until ctx ends: "due <queue>", "released
// <queue>", "routes", … It reconnects by itself; after a reconnect each is
// called with "" because notices may have been missed.
func (s *Store) Listen(ctx context.Context, each func(notice string)) {
	s.listen(ctx, s.keys.Notices(), each)
}

func (s *Store) listen(ctx context.Context, channel string, each func(string)) {
	opts := s.opts
	opts.PoolSize = 1
	rdb := redis.NewClient(&opts)
	defer func() { _ = rdb.Close() }()
	sub := rdb.Subscribe(ctx, channel)
	stop := context.AfterFunc(ctx, func() { _ = sub.Close() })
	defer stop()
	defer func() { _ = sub.Close() }()

	for ctx.Err() == nil {
		msg, err := sub.Receive(ctx)
		switch m := msg.(type) {
		case *redis.Message:
			each(m.Payload)
		case *redis.Subscription:
			each("")
		}
		if err != nil {
			// Receive reconnects at its next call; not too fast, and without a
			// word: whoever sends commands notices the same outage.
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	}
}

// Notify sends a notice to all processes.
func (s *Store) Notify(ctx context.Context, notice string) error {
	_, err := s.count(ctx, "PUBLISH", s.keys.Notices(), notice)
	return err
}
