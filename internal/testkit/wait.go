package testkit

import (
	"testing"
	"time"
)

// Patience is how long a test waits for what has to happen: long enough for a loaded
// machine, because only a failing test waits for all of it.
const Patience = time.Minute

// pollEvery is how often a condition is looked at.
const pollEvery = time.Millisecond

// Eventually waits for cond and ends the test if it does not come true.
func Eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	Within(t, Patience, what, cond)
}

// Within is Eventually for what has to happen within a limit, or may take longer than
// most.
func Within(t testing.TB, limit time.Duration, what string, cond func() bool) {
	t.Helper()
	for begin := time.Now(); !cond(); time.Sleep(pollEvery) {
		if time.Since(begin) > limit {
			t.Fatalf("still not after %v: %s", limit, what)
		}
	}
}

// Receive waits for a value.
func Receive[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(Patience):
		t.Fatalf("still not after %v: %s", Patience, what)
		panic("unreachable")
	}
}
