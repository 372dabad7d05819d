package leanmq

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/rs/zerolog"
)

// Backoff returns the delay after a failed attempt. attempt is its number, 1 for
// the first one, and err its error. A negative delay counts as none. When it
// panics, that is logged and the default of [RetryPolicy] is used.
//
// It is called by many workers at once.
type Backoff func(attempt int, err error) time.Duration

// FixedBackoff waits d after every attempt.
func FixedBackoff(d time.Duration) Backoff {
	return func(int, error) time.Duration { return d }
}

// SequenceBackoff waits for the first duration after the first attempt, and so
// on; the last one is that of all further attempts. Without any it does not wait.
func SequenceBackoff(ds ...time.Duration) Backoff {
	if len(ds) == 0 {
		return FixedBackoff(0)
	}
	ds = append([]time.Duration(nil), ds...)
	return func(attempt int, _ error) time.Duration {
		return ds[max(min(attempt, len(ds)), 1)-1]
	}
}

// ExponentialBackoff waits for a random time between 0 and lowest, doubled with
// every attempt up to highest: what a [RetryPolicy] does with these as MinBackoff
// and MaxBackoff. A lowest below 1 ms counts as that, a highest below lowest as
// lowest.
func ExponentialBackoff(lowest, highest time.Duration) Backoff {
	lowest = max(lowest, time.Millisecond)
	highest = max(lowest, highest)
	return func(attempt int, _ error) time.Duration {
		return jittered(ceiling(lowest, highest, attempt))
	}
}

// call returns what the function does, unless it panics.
func (b Backoff) call(attempt int, err error, log *zerolog.Logger) (d time.Duration, ok bool) {
	defer func() {
		if v := recover(); v != nil {
			log.Error().Str("panic", fmt.Sprint(v)).Int("attempt", attempt).Msg("Backoff panicked: the default is used")
		}
	}()
	return max(b(attempt, err), 0), true
}

// ceiling is the longest delay after the failed attempt with this number.
func ceiling(lowest, highest time.Duration, attempt int) time.Duration {
	d := lowest
	for range attempt - 1 {
		if d >= highest/2 {
			return highest
		}
		d *= 2
	}
	return min(d, highest)
}

func jittered(d time.Duration) time.Duration {
	return time.Duration(rand.Int64N(int64(d) + 1))
}
