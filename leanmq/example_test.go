package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/leanmq/leanmq/leanmq"
	_ "github.com/leanmq/leanmq/leanmq/embedded" // makes mem:// work
)

func Example() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://") // or redis://localhost:6379
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()

	emails := mq.Queue("emails")
	if _, err := emails.Send(ctx, []byte("welcome, Ada")); err != nil {
		log.Fatal(err)
	}
	err = emails.Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
		fmt.Printf("attempt %d: %s\n", m.Attempt, m.Payload)
		stop() // Consume runs until its context ends
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: attempt 1: welcome, Ada
}

// The error that a handler returns decides what becomes of the message.
func ExampleReject() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	orders := mq.Queue("orders")
	if _, err := orders.SendMany(ctx, [][]byte{[]byte("busy"), []byte("broken")}); err != nil {
		log.Fatal(err)
	}

	left := 3
	err = orders.Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
		if left--; left == 0 {
			defer stop()
		}
		switch {
		case string(m.Payload) == "broken":
			return leanmq.Reject(errors.New("no such product")) // dead at once
		case m.Attempt == 1:
			return leanmq.RetryAfter(50*time.Millisecond, errors.New("try again later"))
		}
		fmt.Printf("%s: attempt %d\n", m.Payload, m.Attempt)
		return nil
	}, leanmq.Concurrency(1))
	if err != nil {
		log.Fatal(err)
	}
	for letter, err := range orders.DeadLetters(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s: %s\n", letter.Message.Payload, letter.Reason, letter.Error)
	}
	// Output:
	// busy: attempt 2
	// broken: rejected: no such product
}

// An ID makes a send safe to repeat.
func ExampleID() {
	ctx := context.Background()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	emails := mq.Queue("emails")

	for range 2 {
		id, err := emails.Send(ctx, []byte("hello"), leanmq.ID("welcome-42"))
		fmt.Println(id, errors.Is(err, leanmq.ErrDuplicate))
	}
	// Output:
	// welcome-42 false
	// welcome-42 true
}

// A puller is for those who drive their own loop.
func ExampleQueue_Puller() {
	ctx := context.Background()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	jobs := mq.Queue("jobs")
	if _, err := jobs.Send(ctx, []byte("resize")); err != nil {
		log.Fatal(err)
	}

	puller, err := jobs.Puller(leanmq.Lease(time.Minute))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = puller.Close() }()
	messages, err := puller.Receive(ctx, 10)
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range messages {
		fmt.Printf("%s\n", m.Payload)
		if err := m.Done(ctx); err != nil {
			log.Fatal(err)
		}
	}
	// Output: resize
}

// An inbox asks and waits for the answer.
func ExampleInbox() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	prices := mq.Queue("prices")
	ended := make(chan error)
	go func() {
		ended <- prices.Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
			m.Reply(leanmq.Reply{Status: 200, Payload: []byte("7.49 for a " + string(m.Payload))})
			return nil
		})
	}()

	inbox, err := mq.OpenInbox(ctx)
	if err != nil {
		log.Fatal(err)
	}
	reply, err := inbox.Request(ctx, prices, []byte("cable"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply.Status, string(reply.Payload))

	_ = inbox.Close()
	stop()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
	// Output: 200 7.49 for a cable
}
