package store

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Listener hears channels over one connection. It is safe for concurrent use.
type Listener struct {
	s       *Store
	changed chan struct{} // the channels to hear are others than before

	mu   sync.Mutex
	each map[string]func(notice string) // by channel
}

// NewListener makes a listener that hears nothing yet.
func (s *Store) NewListener() *Listener {
	return &Listener{s: s, changed: make(chan struct{}, 1), each: map[string]func(string){}}
}

// Hear calls each for everything that is told on the channel while Run runs, and
// with "" where something may have been missed: at the beginning, and after each
// reconnect.
func (l *Listener) Hear(channel string, each func(notice string)) {
	l.mu.Lock()
	l.each[channel] = each
	l.mu.Unlock()
	l.change()
}

// Leave ends a Hear. What is under way may still be heard.
func (l *Listener) Leave(channel string) {
	l.mu.Lock()
	delete(l.each, channel)
	l.mu.Unlock()
	l.change()
}

func (l *Listener) change() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

func (l *Listener) channels() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.each))
}

func (l *Listener) tell(channel, notice string) {
	l.mu.Lock()
	each := l.each[channel]
	l.mu.Unlock()
	if each != nil {
		each(notice)
	}
}

// listenPause is the time between two attempts to listen.
const listenPause = 200 * time.Millisecond

// Run listens until ctx ends. It reconnects by itself.
func (l *Listener) Run(ctx context.Context) {
	s := l.s
	for ctx.Err() == nil {
		if s.cluster == nil {
			l.listen(ctx, s.opts)
		} else if n, err := s.cluster.at(ctx, Slot(s.keys.Notices())); err == nil {
			// Any node of a cluster hears what each of them is told.
			opts := s.opts
			opts.Addr = n.addr
			listening, stop := context.WithCancel(ctx)
			left := context.AfterFunc(n.gone, stop)
			l.listen(listening, opts)
			left()
			stop()
			n.suspect.Store(true)
		}
		// Not too fast, and without a word: whoever sends commands notices the same
		// outage.
		sleep(ctx, listenPause)
	}
}

// listen listens to one server, until ctx ends or the connection does.
func (l *Listener) listen(ctx context.Context, opts redis.Options) {
	opts.PoolSize = 1
	rdb := redis.NewClient(&opts)
	defer func() { _ = rdb.Close() }()
	heard := l.channels()
	sub := rdb.Subscribe(ctx, heard...)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { l.follow(ctx, sub, heard) })

	for {
		msg, err := sub.Receive(ctx)
		if err != nil {
			return
		}
		switch m := msg.(type) {
		case *redis.Message:
			l.tell(m.Channel, m.Payload)
		case *redis.Subscription:
			if m.Kind == "subscribe" {
				l.tell(m.Channel, "")
			}
		}
	}
}

// follow makes a connection hear what it should, and closes it when ctx ends. A
// failure ends the connection: the next one begins with all channels.
func (l *Listener) follow(ctx context.Context, sub *redis.PubSub, heard []string) {
	defer func() { _ = sub.Close() }()
	for {
		now := l.channels()
		without := func(from, what []string) []string {
			return slices.DeleteFunc(slices.Clone(from), func(c string) bool { return slices.Contains(what, c) })
		}
		if more := without(now, heard); len(more) > 0 && sub.Subscribe(ctx, more...) != nil {
			return
		}
		if less := without(heard, now); len(less) > 0 && sub.Unsubscribe(ctx, less...) != nil {
			return
		}
		heard = now
		select {
		case <-ctx.Done():
			return
		case <-l.changed:
		}
	}
}

// Notices is the channel that tells all processes of what concerns more than one
// queue.
func (s *Store) Notices() string { return s.keys.Notices() }

// Notify sends a notice to all processes.
func (s *Store) Notify(ctx context.Context, notice string) error {
	_, err := s.count(ctx, "PUBLISH", s.keys.Notices(), notice)
	return err
}
