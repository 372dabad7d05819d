package system

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// background runs f until stop is called, which ends its context, interrupts what
// does not look at contexts, waits for it, and returns its error.
func background(ctx context.Context, f func(ctx context.Context) error, interrupts ...func() error) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	return sync.OnceValue(func() error {
		cancel()
		var errs []error
		for _, interrupt := range interrupts {
			errs = append(errs, interrupt())
		}
		return errors.Join(append(errs, <-ended)...)
	})
}

// spread calls f n times from several goroutines and returns the first error.
func spread(n, goroutines int, f func() error) error {
	var left atomic.Int64
	left.Store(int64(n))
	var first atomic.Pointer[error]
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for left.Add(-1) >= 0 && first.Load() == nil {
				if err := f(); err != nil {
					first.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	if err := first.Load(); err != nil {
		return *err
	}
	return nil
}
