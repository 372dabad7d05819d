package leanmq

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// outage paces the attempts of one loop while Redis is away, and logs one line
// when it begins and one when it ends. Not safe for concurrent use.
type outage struct {
	log   zerolog.Logger
	what  string
	queue string // "" for several
	hooks *hooks
	with  *outages // loops that suffer together, or nil
	since time.Time
	tries int
}

// outages lets loops that suffer from the same outage report it once: the first one
// that fails does, and the last one that is well again. Safe for concurrent use.
type outages struct{ failing atomic.Int64 }

func (o *outages) begins() bool { return o == nil || o.failing.Add(1) == 1 }

func (o *outages) ends() bool { return o == nil || o.failing.Add(-1) == 0 }

// failed reports a failure and waits before the next attempt: up to 2 s, with
// jitter, so that a fleet does not come back all at once. It returns early when
// ctx ends.
func (o *outage) failed(ctx context.Context, err error) {
	if o.tries == 0 {
		o.since = time.Now()
		if o.with.begins() {
			o.log.Warn().Err(err).Str("what", o.what).Msg("redis is failing; retrying")
			o.hooks.observeOutage(o.what, o.queue, err, 0)
		}
	}
	d := min(20*time.Millisecond<<min(o.tries, 7), 2*time.Second)
	o.tries++
	t := time.NewTimer(d/2 + rand.N(d/2))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// ok reports a success.
func (o *outage) ok() {
	if o.leave() {
		o.log.Info().Str("what", o.what).Dur("outage", time.Since(o.since)).Msg("redis is back")
		o.hooks.observeOutage(o.what, o.queue, nil, time.Since(o.since))
	}
}

// leave ends the loop's part in an outage, and reports whether it was the last one.
func (o *outage) leave() bool {
	if o.tries == 0 {
		return false
	}
	o.tries = 0
	return o.with.ends()
}
