package leanmq

import (
	"context"
	"sync"
	"time"
)

// interruptUntil calls interrupt until wg's goroutines are gone: the read that it
// shall end may have been issued and not yet arrived.
func interruptUntil(wg *sync.WaitGroup, interrupt func(context.Context) bool) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		wg.Wait()
	}()
	for {
		interrupt(context.Background())
		select {
		case <-done:
			return
		case <-time.After(time.Millisecond):
		}
	}
}
