package leanmq

import (
	"math/rand/v2"
	"time"
)

// RetryPolicy says when and how often a failed message is tried again. Zero
// fields have the defaults written beside them.
//
// The delay before attempt n+1 is random between 0 and
// min(MaxBackoff, MinBackoff·2ⁿ⁻¹): full jitter, which spreads retries best
// (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
type RetryPolicy struct {
	// MaxAttempts is how many attempts there are, the first one included; after
	// the last one the message is dead. Default 10.
	MaxAttempts int `validate:"min=1,max=1000000"`
	// MinBackoff is the upper end of the first delay. Default 1 s.
	MinBackoff time.Duration `validate:"min=1ms,max=24h"`
	// MaxBackoff bounds all delays. Default 10 min.
	MaxBackoff time.Duration `validate:"min=1ms,max=8760h,gtefield=MinBackoff"`
}

func (p RetryPolicy) withDefaults() RetryPolicy {
	if p.MaxAttempts == 0 {
		p.MaxAttempts = 10
	}
	if p.MinBackoff == 0 {
		p.MinBackoff = time.Second
	}
	if p.MaxBackoff == 0 {
		p.MaxBackoff = max(10*time.Minute, p.MinBackoff)
	}
	return p
}

// ceiling is the longest delay after the failed attempt with this number.
func (p RetryPolicy) ceiling(attempt int) time.Duration {
	d := p.MinBackoff
	for range attempt - 1 {
		if d >= p.MaxBackoff/2 {
			return p.MaxBackoff
		}
		d *= 2
	}
	return min(d, p.MaxBackoff)
}

func (p RetryPolicy) backoff(attempt int) time.Duration {
	return time.Duration(rand.Int64N(int64(p.ceiling(attempt)) + 1))
}
