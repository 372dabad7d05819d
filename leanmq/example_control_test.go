package leanmq_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// A paused queue takes messages and hands none out, in any process.
func ExampleQueue_Pause() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	emails := mq.Queue("emails")

	if err := emails.Drain(ctx); err != nil { // Pause, and wait for running handlers
		log.Fatal(err)
	}
	if _, err := emails.Send(ctx, []byte("welcome, Ada")); err != nil {
		log.Fatal(err)
	}
	info, err := emails.Info(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("paused:", info.Paused, "ready:", info.Ready, "in flight:", info.InFlight)

	if err := emails.Resume(ctx); err != nil {
		log.Fatal(err)
	}
	err = emails.Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
		fmt.Printf("%s\n", m.Payload)
		stop()
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// paused: true ready: 1 in flight: 0
	// welcome, Ada
}
