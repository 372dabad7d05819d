package leanmq

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/leanmq/leanmq/internal/store"
)

const (
	// memberBeat is how often a member says that it is there.
	memberBeat = time.Second
	// memberLapse is how long it counts as there after that.
	memberLapse = 5 * time.Second
	// handOver is how long a member keeps a partition that is another one's now:
	// until then that one has surely learned of it, even if it missed the notice.
	// Both consume it meanwhile, so that it is never without a consumer.
	handOver = memberBeat + 250*time.Millisecond
	// memberPause is how long a notice is waited on: members often come and go
	// together.
	memberPause = 100 * time.Millisecond
	// restPoll is how often it is looked whether a partition that was given up is
	// done with.
	restPoll = 50 * time.Millisecond
)

// sharing is a member of those that share the partitions of one queue out. What it
// believes to have need not be true: any number may consume a partition, so that
// being late, or wrong for a while, costs balance and nothing else.
type sharing struct {
	c     *Client
	set   *store.Partitions
	n     int
	start func(i int) *pool // makes the pool that consumes partition i
	log   zerolog.Logger

	look  chan struct{} // the members have changed
	ended chan ending
	known store.Membership
	mine  []int // sorted
	parts map[int]*part
}

// part is a partition that is consumed here.
type part struct {
	pool    *pool
	stop    context.CancelFunc
	until   time.Time // when to give it up; zero: it is ours
	resting bool
	stopped bool
}

// ending tells that a partition is no longer consumed.
type ending struct {
	i   int
	err error
}

func newSharing(c *Client, set *store.Partitions, n int, start func(i int) *pool) *sharing {
	return &sharing{
		c: c, set: set, n: n, start: start,
		log:   c.log.With().Str("queue", set.Name).Logger(),
		look:  make(chan struct{}, 1),
		ended: make(chan ending, n),
		parts: map[int]*part{},
	}
}

// run shares until ctx ends, and lets all its partitions drain.
func (s *sharing) run(ctx context.Context) error {
	defer s.c.notices.add(s.set.Members, s.notice)()
	consuming, stop := context.WithCancel(ctx)
	defer stop()
	err := s.share(consuming)
	stop()
	left := make(chan struct{})
	go func() { // others need not wait for the drain
		defer close(left)
		s.leave()
	}()
	for len(s.parts) > 0 {
		e := <-s.ended
		delete(s.parts, e.i)
		if err == nil {
			err = e.err
		}
	}
	<-left
	return err
}

// share keeps what is consumed here to what is ours, until ctx ends or a partition
// cannot be consumed.
func (s *sharing) share(ctx context.Context) error {
	o := outage{log: s.log, what: "join", queue: s.set.Name, hooks: s.c.hooks}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for beat := time.Now(); ctx.Err() == nil; {
		if now := time.Now(); !now.Before(beat) {
			beat = now.Add(memberBeat)
			err := s.beat(ctx)
			var other *PartitionsError
			switch {
			case err == nil:
				o.ok()
			case errors.As(err, &other), errors.Is(err, ErrClosed):
				return err
			case len(s.known.Members) == 0:
				o.failed(ctx, err)
				beat = now
				continue
			} // else all stays as it is: the fetcher reports outages
		}
		timer.Reset(min(time.Until(beat), s.step(ctx, time.Now())))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-s.look:
			if soon := time.Now().Add(memberPause); soon.Before(beat) {
				beat = soon
			}
		case e := <-s.ended:
			delete(s.parts, e.i)
			if e.err != nil {
				return e.err
			}
		}
	}
	return nil
}

// beat says that this member is there, and learns of the others.
func (s *sharing) beat(ctx context.Context) error {
	// Not ended by ctx: whoever may have come has to leave, after that.
	m, err := s.set.Beat(context.WithoutCancel(ctx), s.c.instance, s.n, memberLapse, s.known.Version)
	if err != nil {
		return err
	}
	if m.N != s.n {
		return &PartitionsError{Queue: s.set.Name, Given: s.n, Fixed: m.N}
	}
	if m.Version == s.known.Version {
		return nil
	}
	s.known = m
	mine := assign(m.Members, s.n)[s.c.instance]
	slices.Sort(mine)
	if !slices.Equal(mine, s.mine) {
		s.mine = mine
		s.log.Info().Int("members", len(m.Members)).Ints("partitions", mine).Int("of", s.n).Msg("partitions shared out")
		s.c.hooks.observeShare(ShareInfo{Queue: s.set.Name, Members: len(m.Members), Partitions: s.n, Mine: slices.Clone(mine)})
	}
	return nil
}

// step takes what is ours, gives up what no longer is, and returns when to be
// called again at the latest.
func (s *sharing) step(ctx context.Context, now time.Time) (next time.Duration) {
	for _, i := range s.mine {
		switch p := s.parts[i]; {
		case p == nil:
			s.consume(ctx, i)
		case p.resting && !p.stopped:
			p.until, p.resting = time.Time{}, false
			p.pool.wake()
		default: // one that is stopped is taken again when it has ended
			p.until = time.Time{}
		}
	}
	next = memberBeat
	for i, p := range s.parts {
		switch {
		case p.stopped, slices.Contains(s.mine, i):
		case p.until.IsZero():
			p.until = now.Add(handOver)
			next = min(next, handOver)
		case now.Before(p.until):
			next = min(next, p.until.Sub(now))
		case !p.resting:
			p.resting = true
			p.pool.rest()
			next = min(next, restPoll)
		case p.pool.idle():
			p.stopped = true
			p.stop()
		default:
			next = min(next, restPoll)
		}
	}
	return next
}

// consume begins to consume a partition.
func (s *sharing) consume(ctx context.Context, i int) {
	ctx, stop := context.WithCancel(ctx)
	p := &part{pool: s.start(i), stop: stop}
	s.parts[i] = p
	go func() {
		defer stop()
		s.ended <- ending{i, p.pool.run(ctx)}
	}()
}

// leave tells the others that this member is gone. If it cannot, they learn it
// when its time is over.
func (s *sharing) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), settleGrace)
	defer cancel()
	_ = s.set.Leave(ctx, s.c.instance)
}

// notice is called when the members have changed, or may have.
func (s *sharing) notice(string) { signal(s.look) }
