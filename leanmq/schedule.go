package leanmq

import (
	"context"
	"math/rand/v2"
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
	// maxStandBack bounds how much later a process looks that always comes too late.
	maxStandBack = 250 * time.Millisecond
)

// scheduler moves messages that are due to their streams. Every process may do it
// for the queues it consumes; the script makes sure that each message is moved
// once. So that a thousand processes do not all look at the same moment, one that
// finds that another was there before it stands back a little more each time, and
// comes to the front when it finds something: mostly one is there in time, and when
// that one is gone another takes its place.
type scheduler struct {
	c      *Client
	wakeup chan struct{}
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	queues map[string]*scheduled // by name
}

// scheduled is what is known of one queue.
type scheduled struct {
	q    *store.Queue
	pool *pool
	next time.Time     // when to look again
	due  bool          // something was to be due then, not counting back
	back time.Duration // how much later than others to look
}

// looked notes what a look found.
func (s *scheduled) looked(now time.Time, stand store.Promoted) {
	switch {
	case stand.Moved > 0:
		s.back = 0
	case s.due:
		s.back = min(max(2*s.back, time.Millisecond), maxStandBack)
	}
	if s.due = stand.Next >= 0 && stand.Next < schedulePoll; s.due {
		s.next = now.Add(stand.Next + s.back/2 + rand.N(s.back/2+1))
	}
}

func newScheduler(c *Client) *scheduler {
	ctx, cancel := context.WithCancel(context.Background())
	s := &scheduler{
		c: c, cancel: cancel,
		wakeup: make(chan struct{}, 1), done: make(chan struct{}),
		queues: map[string]*scheduled{},
	}
	go s.run(ctx)
	return s
}

func (s *scheduler) add(p *pool) {
	s.mu.Lock()
	s.queues[p.q.name] = &scheduled{q: p.q.sq, pool: p}
	s.mu.Unlock()
	s.poke()
}

func (s *scheduler) remove(p *pool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.queues, p.q.name)
}

func (s *scheduler) close() {
	s.cancel()
	<-s.done
}

// wake looks at a queue now.
func (s *scheduler) wake(queue string) {
	s.mu.Lock()
	q := s.queues[queue]
	if q != nil {
		q.now()
	}
	s.mu.Unlock()
	if q != nil {
		s.poke()
	}
}

func (s *scheduler) wakeAll() {
	s.mu.Lock()
	for _, q := range s.queues {
		q.now()
	}
	s.mu.Unlock()
	s.poke()
}

func (s *scheduled) now() { s.next, s.due = time.Time{}, false }

func (s *scheduler) poke() { signal(s.wakeup) }

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
func (s *scheduler) due(now time.Time) (due []*scheduled, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next = now.Add(schedulePoll)
	for _, q := range s.queues {
		if !q.next.After(now) {
			due = append(due, q)
		} else if q.next.Before(next) {
			next = q.next
		}
	}
	return due, next
}

// promote moves what is due and notes when to look again. After a failure that
// is the next poll; the fetcher reports outages.
func (s *scheduler) promote(ctx context.Context, due []*scheduled) {
	now := time.Now()
	queues := make([]*store.Queue, len(due))
	s.mu.Lock()
	for i, q := range due {
		queues[i], q.next = q.q, now.Add(schedulePoll)
	}
	s.mu.Unlock()
	stand, _ := s.c.promote(ctx, queues)
	if stand == nil {
		return
	}
	now = time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, q := range due {
		if stand[i].Err != nil {
			continue
		}
		if !q.next.IsZero() { // not woken meanwhile
			q.looked(now, stand[i])
		}
		q.pool.settingsAre(stand[i].Control)
	}
}
