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
	for ctx.Err() == nil {
		if s.cluster == nil {
			listenAt(ctx, s.opts, channel, each)
		} else if n, err := s.cluster.at(ctx, Slot(channel)); err == nil {
			// Any node of a cluster hears what each of them is told.
			opts := s.opts
			opts.Addr = n.addr
			listening, stop := context.WithCancel(ctx)
			left := context.AfterFunc(n.gone, stop)
			listenAt(listening, opts, channel, each)
			left()
			stop()
			n.suspect.Store(true)
		}
		// Not too fast, and without a word: whoever sends commands notices the same
		// outage.
		sleep(ctx, listenPause)
	}
}

// listenPause is the time between two attempts to listen.
const listenPause = 200 * time.Millisecond

// listenAt listens to one server, until ctx ends or the connection does.
func listenAt(ctx context.Context, opts redis.Options, channel string, each func(string)) {
	opts.PoolSize = 1
	rdb := redis.NewClient(&opts)
	defer func() { _ = rdb.Close() }()
	sub := rdb.Subscribe(ctx, channel)
	stop := context.AfterFunc(ctx, func() { _ = sub.Close() })
	defer stop()
	defer func() { _ = sub.Close() }()

	for {
		msg, err := sub.Receive(ctx)
		if err != nil {
			return
		}
		switch m := msg.(type) {
		case *redis.Message:
			each(m.Payload)
		case *redis.Subscription:
			each("")
		}
	}
}

// Notify sends a notice to all processes.
func (s *Store) Notify(ctx context.Context, notice string) error {
	_, err := s.count(ctx, "PUBLISH", s.keys.Notices(), notice)
	return err
}
