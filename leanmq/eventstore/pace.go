package eventstore

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/rs/zerolog"
)

// pace is that of the attempts while Redis is away. It logs a line when that begins and
// one when it ends.
type pace struct {
	log   zerolog.Logger
	tries int
}

// wait waits before the next attempt, up to 2 s, or until ctx ends.
func (p *pace) wait(ctx context.Context, err error) {
	if p.tries == 0 {
		p.log.Warn().Err(err).Msg("redis is failing; retrying")
	}
	d := min(20*time.Millisecond<<min(p.tries, 7), 2*time.Second)
	p.tries++
	sleep(ctx, d/2+rand.N(d/2))
}

func (p *pace) ok() {
	if p.tries > 0 {
		p.log.Info().Msg("redis is back")
		p.tries = 0
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
