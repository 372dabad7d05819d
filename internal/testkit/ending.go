package testkit

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
)

// Ending runs a test and tells how it ended early: "failed: …" or "skipped: …", with
// what was said, or "" if it ran to its end. The test t stays as it is.
func Ending(t testing.TB, test func(t testing.TB)) string {
	e := &ending{TB: t}
	var wg sync.WaitGroup
	wg.Go(func() { test(e) })
	wg.Wait()
	return e.how
}

// ending is a test that records how it ends.
type ending struct {
	testing.TB
	how string
}

func (e *ending) Helper() {}

func (e *ending) Skipf(format string, args ...any) {
	e.how = "skipped: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (e *ending) Fatalf(format string, args ...any) {
	e.how = "failed: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}
