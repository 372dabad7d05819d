package embedded

import (
	"time"

	"github.com/alicebob/miniredis/v2"
)

// step is how far the clock of the TTLs moves at a time.
const step = 10 * time.Millisecond

// most is how many steps the clock moves at once when one is late.
const most = 5

// runClock moves a server's TTLs with the time until stop is closed.
//
// miniredis takes stream ids, idle times and TIME from the wall clock by
// itself; only TTLs stand still until someone calls FastForward. Its ClockTTL
// mode would move them at every command, at the price of a visit to every key
// each time. SetTime is not used: it would make ids as coarse as the steps, and
// XCLAIM reads what it sets without a lock.
func runClock(m *miniredis.Miniredis, stop <-chan struct{}) {
	last := time.Now()
	cost, wait := time.Duration(0), step
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-stop:
			return
		case <-timer.C:
		}
		now := time.Now()
		// A step that was held up for long would take all of that off keys that are
		// younger, too: rather the others live on for it.
		m.FastForward(min(now.Sub(last), most*wait))
		last = now
		before := cost
		cost = time.Since(now)
		// A step that had to wait for a long script looks expensive, but is
		// not: the cheaper one of two tells.
		wait = pause(min(before, cost))
		timer.Reset(wait)
	}
}

// pause is the time until the next step. A step sorts and visits all keys with
// the server locked, 2.7 ms for 10,000 of them: it may take a tenth of the time.
func pause(cost time.Duration) time.Duration {
	return max(step, 9*cost)
}
