package store_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
)

// told records what was heard on one channel.
type told struct {
	mu   sync.Mutex
	what []string
}

func (x *told) hear(notice string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.what = append(x.what, notice)
}

func (x *told) count(notice string) (n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, w := range x.what {
		if w == notice {
			n++
		}
	}
	return n
}

func TestListenerHearsWhatItIsToldTo(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		l := s.NewListener()
		var all, queue, late told
		l.Hear(s.Notices(), all.hear)
		l.Hear(q.Notices(), queue.hear)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); l.Run(ctx) }()
		defer func() { cancel(); <-ended }()
		eventually(t, "both are heard", func() bool { return all.count("") == 1 && queue.count("") == 1 })

		l.Hear("another", late.hear)
		eventually(t, "a later one too", func() bool { return late.count("") == 1 })
		if err := s.Notify(t.Context(), "routes"); err != nil {
			t.Fatal(err)
		}
		if err := q.SetPaused(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		eventually(t, "each hears its own", func() bool {
			return all.count("routes") == 1 && queue.count("control "+q.Name) == 1
		})
		l.Leave(s.Notices())
		eventually(t, "what was left is not heard", func() bool {
			before := all.count("lost")
			if err := s.Notify(t.Context(), "lost"); err != nil {
				t.Fatal(err)
			}
			if err := q.SetPaused(t.Context(), before%2 == 0); err != nil {
				t.Fatal(err)
			}
			return all.count("lost") == before
		})
		if slices.Contains(late.what, "routes") || queue.count("routes") > 0 {
			t.Errorf("%q, %q", late.what, queue.what)
		}
	})
}

func TestListenerReconnects(t *testing.T) {
	server := redistest.Server(t)
	s, _ := openQueue(t, server.URL())
	l := s.NewListener()
	var all told
	l.Hear(s.Notices(), all.hear)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); l.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	eventually(t, "it hears", func() bool { return all.count("") == 1 })
	server.Kill()
	server.Start()
	eventually(t, "it says that it may have missed something", func() bool { return all.count("") == 2 })
	eventually(t, "it hears again", func() bool { return s.Notify(t.Context(), "routes") == nil && all.count("routes") > 0 })
}
