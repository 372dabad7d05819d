package leanmq

import (
	"time"

	"github.com/rs/zerolog"
)

// RetryPolicy says when and how often a failed message is tried again. Zero
// fields have the defaults written beside them.
//
// The delay before attempt n+1 is random between 0 and
// min(MaxBackoff, MinBackoff·2ⁿ⁻¹): full jitter, which spreads retries best
// (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
//
// It is set for a consumer with [Retry], and for a single message with
// [RetryWith].
type RetryPolicy struct {
	// MaxAttempts is how many attempts there are, the first one included; after
	// the last one the message is dead. Default 10.
	MaxAttempts int `validate:"min=1,max=1000000"`
	// MinBackoff is the upper end of the first delay. Default 1 s.
	MinBackoff time.Duration `validate:"min=1ms,max=24h"`
	// MaxBackoff bounds all delays. Default 10 min.
	MaxBackoff time.Duration `validate:"min=1ms,max=8760h,gtefield=MinBackoff" want:"1ms to 8760h, and no less than MinBackoff"`
	// NoJitter makes the delays those upper ends themselves: with MaxBackoff as
	// MinBackoff they are all the same.
	NoJitter bool
	// MaxAge is how long after its send, by the server's clock, an attempt of a
	// message may begin. When the next one could only begin later, or this one
	// would, the message is dead with [ReasonTooOld]. A delay counts; requests
	// have deadlines instead. Requeueing starts a new age. Default: none.
	MaxAge time.Duration `validate:"min=0s,max=87600h"`
	// Backoff replaces the delays above: it excludes MinBackoff, MaxBackoff and
	// NoJitter. A [RetryAfter] wins over it.
	Backoff Backoff
}

// conflict reports fields that exclude each other; of names the policy.
func (p RetryPolicy) conflict(of string) error {
	const exclude = "and %s exclude each other"
	switch {
	case p.Backoff == nil:
	case p.MinBackoff != 0:
		return invalid(of+".Backoff", exclude, "MinBackoff")
	case p.MaxBackoff != 0:
		return invalid(of+".Backoff", exclude, "MaxBackoff")
	case p.NoJitter:
		return invalid(of+".Backoff", exclude, "NoJitter")
	}
	return nil
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

// over returns the message's own policy with the consumer's in place of what it
// leaves open. Where a bound of one is beyond a bound of the other, the message
// has its way.
func (p RetryPolicy) over(base RetryPolicy) RetryPolicy {
	if p.MaxAttempts != 0 {
		base.MaxAttempts = p.MaxAttempts
	}
	if p.MaxAge != 0 {
		base.MaxAge = p.MaxAge
	}
	if p.MinBackoff != 0 || p.MaxBackoff != 0 || p.NoJitter {
		base.Backoff = nil
		base.NoJitter = base.NoJitter || p.NoJitter
	}
	if p.MaxBackoff != 0 {
		base.MaxBackoff = p.MaxBackoff
		base.MinBackoff = min(base.MinBackoff, base.MaxBackoff)
	}
	if p.MinBackoff != 0 {
		base.MinBackoff = p.MinBackoff
		base.MaxBackoff = max(base.MaxBackoff, base.MinBackoff)
	}
	return base
}

// delay is that after the failed attempt with this number.
func (p RetryPolicy) delay(attempt int, err error, log *zerolog.Logger) time.Duration {
	if p.Backoff != nil {
		if d, ok := p.Backoff.call(attempt, err, log); ok {
			return d
		}
	}
	d := ceiling(p.MinBackoff, p.MaxBackoff, attempt)
	if p.NoJitter {
		return d
	}
	return jittered(d)
}

// tooOld reports whether a message of this age may not be tried after delay.
func (p RetryPolicy) tooOld(age, delay time.Duration) bool {
	return p.MaxAge > 0 && delay > p.MaxAge-age
}
