package outbox

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// outage paces a relay while PostgreSQL or Redis is away, and logs one line when that
// begins and one when it ends.
type outage struct {
	mq    *leanmq.Client // logs
	what  string
	since time.Time
	tries int
}

// failed waits before the next attempt: up to 2 s, with jitter. It returns early when
// ctx ends.
func (o *outage) failed(ctx context.Context, err error) {
	if o.tries == 0 {
		o.since = time.Now()
		o.mq.Log().Warn().Err(err).Str("what", "outbox").Msg(o.what + " is failing; retrying")
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

func (o *outage) ok() {
	if o.tries > 0 {
		o.mq.Log().Info().Str("what", "outbox").Dur("outage", time.Since(o.since)).Msg(o.what + " is back")
		o.tries = 0
	}
}
