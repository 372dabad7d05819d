package outbox

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/leanmq/leanmq/internal/store"
	"github.com/leanmq/leanmq/leanmq"
)

const (
	// known is how long Redis knows what was sent while its row may still be there,
	// and trust is the age from which on a row is not relied on to be known.
	known = 30 * 24 * time.Hour
	trust = known - 24*time.Hour

	// sendLimit is how old what was read may be when it is sent. It is less than
	// idleLimit: whoever sends has the lock.
	sendLimit = 10 * time.Second
	// batchLimit bounds a batch when PostgreSQL does not answer.
	batchLimit = 45 * time.Second
	batchBytes = 4 << 20

	busyPoll = 50 * time.Millisecond // while another relay is at it
	fullWait = time.Second           // before a full queue is tried again
)

// relay is one Relay that runs. Not safe for concurrent use.
type relay struct {
	box *Box
	db  *sql.DB
	mq  *leanmq.Client

	poll     time.Duration
	size     int
	remember time.Duration
	handle   func(name string) *leanmq.Queue
	err      error // of an option

	queues          map[string]destination // also topics
	full            map[string]time.Time   // queues that were full, and when to try them again
	postgres, redis outage
	worked          bool // PostgreSQL did what it was told, once
}

// Relay moves rows to their queues until ctx ends; it finishes the batch that it is at
// and returns nil. Any number of relays may run, in any number of processes: see the
// package's documentation. All relays of a table must use the same Redis and the same
// leanmq.Prefix, which is where it is known what was sent. A relay uses one connection
// of db.
//
// It goes on through outages. It returns an error only where going on is no use: an
// option or the client's use is wrong ([leanmq.ErrInvalid], [leanmq.ErrClosed]); or at
// the start there is no table ([ErrNoTable]) or no right to use it.
func (b *Box) Relay(ctx context.Context, db *sql.DB, mq *leanmq.Client, opts ...RelayOption) error {
	r := &relay{
		box: b, db: db, mq: mq,
		poll: 500 * time.Millisecond, size: 500, remember: time.Hour,
		handle:   func(name string) *leanmq.Queue { return mq.Queue(name) },
		queues:   map[string]destination{},
		full:     map[string]time.Time{},
		postgres: outage{mq: mq, what: "postgres"},
		redis:    outage{mq: mq, what: "redis"},
	}
	for _, o := range opts {
		o(r)
	}
	if b.err != nil {
		return b.err
	}
	if r.err != nil {
		return r.err
	}
	kicked, stop := b.listen()
	defer stop()
	for ctx.Err() == nil {
		t, err := r.batch(ctx)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil
		case err != nil && !r.worked && isMistake(err):
			return b.wrap("relay", "", err)
		case err != nil:
			r.postgres.failed(ctx, err)
			continue
		}
		r.worked = true
		r.postgres.ok()
		switch {
		case errors.Is(t.down, leanmq.ErrClosed):
			return b.wrap("relay", "", t.down)
		case t.down != nil:
			r.redis.failed(ctx, t.down)
			continue
		case t.answered:
			r.redis.ok()
		}
		if !t.more {
			r.wait(ctx, kicked, t.busy)
		}
	}
	return nil
}

// wait returns when it is time to look again.
func (r *relay) wait(ctx context.Context, kicked <-chan struct{}, busy bool) {
	d := r.poll
	if busy { // what we were kicked for may have come too late for it
		d = min(d, busyPoll)
	}
	t := time.NewTimer(d*3/4 + rand.N(d/2+1))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-kicked:
	}
}

// destination is a queue or a topic.
type destination interface {
	SendStored(ctx context.Context, ms []store.Stored) (errs []error)
	ForgetStored(ctx context.Context, names []string, d time.Duration) error
}

// queue returns the handle of a queue, or a topic; nil when there is none.
func (r *relay) queue(name string) destination {
	to, ok := r.queues[name]
	if ok {
		return to
	}
	if topic, ok := strings.CutPrefix(name, ofTopic); ok {
		to = r.mq.Topic(topic)
	} else if q := r.handle(name); q != nil {
		to = q
	}
	r.queues[name] = to
	return to
}
