package system

import (
	"context"
	"io"
	"sync"
)

// Goroutines is the floor of real jobs: goroutines that take from a channel.
var Goroutines = System{
	Name:    "goroutines",
	Setting: "a channel in the process, and a goroutine for each worker",
	Lacks:   "durability, retries, other processes",
	Without: "durability, retries",
	Needs:   Nothing,
	Open: func(context.Context, Env) (io.Closer, error) {
		return goroutines{make(chan []byte, 1<<20)}, nil
	},
}

type goroutines struct{ messages chan []byte }

func (goroutines) Close() error { return nil }

func (g goroutines) Send(_ context.Context, payload []byte) error {
	g.messages <- payload
	return nil
}

func (g goroutines) Consume(ctx context.Context, workers int, handle func()) (func() error, error) {
	return background(ctx, func(ctx context.Context) error {
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for {
					select {
					case <-g.messages:
						handle()
					case <-ctx.Done():
						return
					}
				}
			})
		}
		wg.Wait()
		return nil
	}), nil
}
