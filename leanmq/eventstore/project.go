package eventstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/rs/zerolog"

	"github.com/leanmq/leanmq/leanmq"
)

// Handler handles an event of a projection. When it returns an error, or panics, it gets
// the same event again. Its context ends when the process has lost the projection
// (leanmq.ErrLeaseLost) or is to stop and does not (leanmq.ErrDrainTimeout).
type Handler func(ctx context.Context, ev *Event, commit *Commit) error

// A ProjectOption configures one Project.
type ProjectOption func(*projectConfig)

type projectConfig struct {
	lease, drain time.Duration
	batch        int
	backoff      leanmq.Backoff
}

// Lease sets how long a projection stays with a process that gives no sign of life: 100 ms
// to 24 h. Default 10 s. It is renewed every third of it, however long a handler takes.
func Lease(d time.Duration) ProjectOption { return func(c *projectConfig) { c.lease = d } }

// Backoff sets how long to wait before an event that failed is handed out again. Default:
// leanmq.ExponentialBackoff(100*time.Millisecond, 30*time.Second).
func Backoff(b leanmq.Backoff) ProjectOption { return func(c *projectConfig) { c.backoff = b } }

// CommitEvery sets after how many events the position is saved, 1 to 10000; it also is
// when there are no more events, and before one that failed is tried again. So many may be
// handled a second time after a crash. Default 100.
func CommitEvery(n int) ProjectOption { return func(c *projectConfig) { c.batch = n } }

// DrainTimeout sets how long a handler may go on when Project is to end: 1 ms to 24 h.
// Default 25 s.
func DrainTimeout(d time.Duration) ProjectOption { return func(c *projectConfig) { c.drain = d } }

// Project hands the events of the log to h, in order and one at a time, beginning where
// the projection called name has stopped, or with the first event. It runs until ctx ends,
// lets h finish, saves the position, and returns nil; or leanmq.ErrDrainTimeout if h had to
// be canceled. The name has 1 to 256 printable bytes.
//
// Any number of processes may call it, and one at a time runs it: the others stand by.
// While Redis is away it keeps trying. An event that fails is repeated in place for as
// long as it takes, because those behind it may depend on it; [Store.Projection] shows it.
// A handler that wants to pass over an event returns nil.
//
// It gives up when the log does not have the position any more ([ErrPosition]) and when
// Redis refuses a command of a Commit ([*CommandError]).
func (s *Store) Project(ctx context.Context, name string, h Handler, opts ...ProjectOption) error {
	p, err := s.newProjector(name, h, opts)
	if err == nil {
		err = p.project(ctx)
	}
	return s.wrap("project", name, err)
}

// projector is a Project that runs.
type projector struct {
	s     *Store
	name  string
	h     Handler
	cfg   projectConfig
	owner string
	log   zerolog.Logger
	free  chan struct{} // somebody may have given a projection up
	pace  pace
}

func (s *Store) newProjector(name string, h Handler, opts []ProjectOption) (*projector, error) {
	cfg := projectConfig{
		lease: 10 * time.Second, drain: 25 * time.Second, batch: 100,
		backoff: leanmq.ExponentialBackoff(100*time.Millisecond, 30*time.Second),
	}
	for _, o := range opts {
		o(&cfg)
	}
	err := s.checkProjection(name)
	switch {
	case err != nil:
	case h == nil:
		err = invalid("handler", "is nil")
	case cfg.lease < 100*time.Millisecond || cfg.lease > 24*time.Hour:
		err = invalid("Lease", "is %v: want 100ms to 24h", cfg.lease)
	case cfg.drain < time.Millisecond || cfg.drain > 24*time.Hour:
		err = invalid("DrainTimeout", "is %v: want 1ms to 24h", cfg.drain)
	case cfg.batch < 1 || cfg.batch > 10_000:
		err = invalid("CommitEvery", "is %d: want 1 to 10000", cfg.batch)
	case cfg.backoff == nil:
		err = invalid("Backoff", "is nil")
	}
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname()
	log := s.mq.Log().With().Str("events", s.name).Str("projection", name).Logger()
	return &projector{
		s: s, name: name, h: h, cfg: cfg, log: log, pace: pace{log: log}, free: make(chan struct{}, 1),
		owner: fmt.Sprintf("%.40s-%d-%s", host, os.Getpid(), rand.Text()[:10]),
	}, nil
}

func (s *Store) checkProjection(name string) error {
	if s.err != nil {
		return s.err
	}
	if err := checkText("projection", name); err != nil {
		return err
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return invalid("projection", "%.40q has unprintable characters", name)
	}
	return nil
}

// noticeFree tells those that stand by to look.
const noticeFree = "projection"

func (p *projector) project(ctx context.Context) error {
	stop := p.s.mq.OnNotice(func(notice string) {
		if notice == "" || notice == noticeFree {
			select {
			case p.free <- struct{}{}:
			default:
			}
		}
	})
	defer stop()
	for ctx.Err() == nil {
		// Not ended by ctx: whoever may have got the lease has to give it up.
		lead, left, err := p.s.log.LeadProjection(context.WithoutCancel(ctx), p.name, p.owner, p.cfg.lease)
		switch {
		case transient(err):
			p.pace.wait(ctx, err)
		case err != nil:
			return err
		case lead == nil:
			p.standBy(ctx, left)
		default:
			p.pace.ok()
			if err := p.lead(ctx, lead); err != nil {
				return err
			}
		}
	}
	return nil
}

// standBy waits until the projection may be free.
func (p *projector) standBy(ctx context.Context, left time.Duration) {
	p.pace.ok()
	t := time.NewTimer(min(left, p.cfg.lease) + time.Millisecond)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-p.free:
	case <-t.C:
	}
}

// transient reports whether an error is worth another try.
func transient(err error) bool {
	return errors.Is(err, leanmq.ErrUnavailable) || errors.Is(err, leanmq.ErrUnknown)
}
