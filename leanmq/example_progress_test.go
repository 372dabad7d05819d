package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// A note of the progress is seen by others, and by a later attempt.
func ExampleMessage_Progress() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	imports := mq.Queue("imports")
	if _, err := imports.Send(ctx, []byte("customers.csv")); err != nil {
		log.Fatal(err)
	}

	err = imports.Consume(ctx, func(ctx context.Context, m *leanmq.Message) error {
		if m.Attempt > 1 {
			done, err := m.LastProgress(ctx)
			fmt.Println("goes on after", done)
			stop()
			return err
		}
		if err := m.Progress(ctx, "line 1000"); err != nil {
			return err
		}
		running, err := imports.InFlight(ctx, 10) // in any process
		if err != nil {
			return err
		}
		for _, r := range running {
			fmt.Printf("%s: %s\n", r.Message.Payload, r.Progress)
		}
		return leanmq.RetryAfter(0, errors.New("the database went away"))
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// customers.csv: line 1000
	// goes on after line 1000
}
