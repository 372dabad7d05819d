package leanmq

import (
	"context"
	"sync"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

const (
	// schedulePoll is how often a queue is looked at without a notice: a safety
	// net for lost ones.
	schedulePoll = 3 * time.Second
	// promoteBatch is how many due messages one command moves.
	promoteBatch = 200
	// promoteQueues is how many queues one command looks at.
	promoteQueues = 50
)

// scheduler moves messages that are due to their streams. Every process does it
// for the queues it consumes; the script makes sure that each message is moved
// once.
type scheduler struct {
	c      *Client
	wakeup chan struct{}
	cancel context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex
	next map[*store.Queue]time.Time // when to look again
	name map[string]*store.Queue
	pool map[*store.Queue]*pool
}

func newScheduler(c *Client) *scheduler {
	ctx, cancel := context.WithCancel(context.Background())
	s := &scheduler{
		c: c, cancel: cancel,
		wakeup: make(chan struct{}, 1), done: make(chan struct{}),
		next: map[*store.Queue]time.Time{}, name: map[string]*store.Queue{},
		pool: map[*store.Queue]*pool{},
	}
	go s.run(ctx)
	return s
}

func (s *scheduler) add(p *pool) {
	s.mu.Lock()
	s.next[p.q.sq] = time.Time{}
	s.name[p.q.name] = p.q.sq
	s.pool[p.q.sq] = p
	s.mu.Unlock()
	s.poke()
}

func (s *scheduler) remove(p *pool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.next, p.q.sq)
	delete(s.name, p.q.name)
	delete(s.pool, p.q.sq)
}

func (s *scheduler) close() {
	s.cancel()
	<-s.done
}

// wake looks at a queue now.
func (s *scheduler) wake(queue string) {
	s.mu.Lock()
	q := s.name[queue]
	if q != nil {
		s.next[q] = time.Time{}
	}
	s.mu.Unlock()
	if q != nil {
		s.poke()
	}
}

func (s *scheduler) wakeAll() {
	s.mu.Lock()
	for q := range s.next {
		s.next[q] = time.Time{}
	}
	s.mu.Unlock()
	s.poke()
}

func (s *scheduler) poke() {
	select {
	case s.wakeup <- struct{}{}:
	default:
	}
}

func (s *scheduler) run(ctx context.Context) {
	defer close(s.done)
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-s.wakeup:
		}
		due, next := s.due(time.Now())
		for len(due) > 0 {
			n := min(len(due), promoteQueues)
			s.promote(ctx, due[:n])
			if due = due[n:]; len(due) == 0 {
				due, next = s.due(time.Now()) // there may be more than one batch
			}
		}
		t.Reset(max(time.Until(next), 0))
	}
}

// due returns the queues to look at now, and when to look at the next one.
func (s *scheduler) due(now time.Time) (due []*store.Queue, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next = now.Add(schedulePoll)
	for q, at := range s.next {
		if !at.After(now) {
			due = append(due, q)
		} else if at.Before(next) {
			next = at
		}
	}
	return due, next
}

// promote moves what is due and notes when to look again. After a failure that
// is the next poll; the fetcher reports outages.
func (s *scheduler) promote(ctx context.Context, queues []*store.Queue) {
	now := time.Now()
	s.mu.Lock()
	for _, q := range queues {
		if _, ok := s.next[q]; ok {
			s.next[q] = now.Add(schedulePoll)
		}
	}
	s.mu.Unlock()
	stand, err := s.c.promote(ctx, queues)
	if err != nil {
		return
	}
	now = time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, q := range queues {
		at, ok := s.next[q]
		if !ok {
			continue
		}
		if next := stand[i].Next; next >= 0 && now.Add(next).Before(at) {
			s.next[q] = now.Add(next)
		}
		s.pool[q].settingsAre(stand[i].Control)
	}
}
