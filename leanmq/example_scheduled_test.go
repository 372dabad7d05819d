package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// What is scheduled can be canceled until it is delivered.
func ExampleQueue_CancelScheduled() {
	ctx := context.Background()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	reminders := mq.Queue("reminders")
	id, err := reminders.Send(ctx, []byte("your basket is waiting"), leanmq.Delay(24*time.Hour))
	if err != nil {
		log.Fatal(err)
	}

	fmt.Println(reminders.CancelScheduled(ctx, id)) // the basket was bought
	err = reminders.CancelScheduled(ctx, id)
	fmt.Println(errors.Is(err, leanmq.ErrNotFound))
	// Output:
	// <nil>
	// true
}

// Rescheduling moves a message to another time.
func ExampleQueue_Reschedule() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	reminders := mq.Queue("reminders")
	if _, err := reminders.Send(ctx, []byte("call Ada"), leanmq.ID("call-ada"), leanmq.Delay(24*time.Hour)); err != nil {
		log.Fatal(err)
	}

	if err := reminders.Reschedule(ctx, "call-ada", time.Now()); err != nil {
		log.Fatal(err)
	}
	err = reminders.Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
		fmt.Printf("%s\n", m.Payload)
		stop()
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: call Ada
}
