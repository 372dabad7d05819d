package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// A message that waits is removed; the handler of one that runs, in whatever
// process, is told to stop.
func ExampleQueue_Cancel() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	reports := mq.Queue("reports")

	reminder, err := reports.Send(ctx, nil, leanmq.ID("reminder-42"), leanmq.Delay(48*time.Hour))
	if err != nil {
		log.Fatal(err)
	}
	removed, err := reports.Cancel(ctx, reminder)
	fmt.Println("removed at once:", removed, err)

	if _, err := reports.Send(ctx, nil, leanmq.ID("report-7")); err != nil {
		log.Fatal(err)
	}
	err = reports.Consume(ctx, func(running context.Context, m *leanmq.Message) error {
		defer stop()
		if _, err := reports.Cancel(ctx, m.ID); err != nil { // somebody else, mostly
			return err
		}
		<-running.Done()
		fmt.Println("canceled:", errors.Is(context.Cause(running), leanmq.ErrCanceled))
		return running.Err() // neither retried nor dead-lettered
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// removed at once: true <nil>
	// canceled: true
}
