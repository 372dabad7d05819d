package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// When and how often failed messages of a queue are tried again.
func ExampleRetry() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	payments := mq.Queue("payments")
	if _, err := payments.Send(ctx, []byte("7.49")); err != nil {
		log.Fatal(err)
	}

	err = payments.Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
		if m.Attempt < 3 {
			return errors.New("no answer from the bank")
		}
		fmt.Printf("attempt %d: paid %s\n", m.Attempt, m.Payload)
		stop()
		return nil
	}, leanmq.Retry(leanmq.RetryPolicy{
		MaxAttempts: 5,
		MaxAge:      24 * time.Hour,
		Backoff: func(attempt int, err error) time.Duration {
			fmt.Printf("attempt %d: %v\n", attempt, err)
			return time.Duration(attempt) * 10 * time.Millisecond
		},
	}))
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// attempt 1: no answer from the bank
	// attempt 2: no answer from the bank
	// attempt 3: paid 7.49
}

// A message can bring a retry policy of its own.
func ExampleRetryWith() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	emails := mq.Queue("emails")
	once := leanmq.RetryWith(leanmq.RetryPolicy{MaxAttempts: 1})
	if _, err := emails.Send(ctx, []byte("your code is 123456"), once); err != nil {
		log.Fatal(err)
	}
	soon := leanmq.RetryWith(leanmq.RetryPolicy{
		MinBackoff: 10 * time.Millisecond, MaxBackoff: 10 * time.Millisecond, NoJitter: true,
	})
	if _, err := emails.Send(ctx, []byte("welcome"), soon); err != nil {
		log.Fatal(err)
	}

	err = emails.Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
		fmt.Printf("attempt %d: %s\n", m.Attempt, m.Payload)
		if m.Attempt == 1 {
			return errors.New("the mail server is away")
		}
		stop()
		return nil
	}, leanmq.Concurrency(1)) // by default: up to 10 attempts
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// attempt 1: your code is 123456
	// attempt 1: welcome
	// attempt 2: welcome
}

// Rules say what errors mean, so that handlers can return them as they are.
func ExampleRejectOn() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	var (
		errNoUser  = errors.New("no such user")
		errBusy    = errors.New("too many requests")
		errAlready = errors.New("already done")
	)
	jobs := mq.Queue("jobs")
	for _, p := range []string{"ghost", "twice", "crowd"} {
		if _, err := jobs.Send(ctx, []byte(p)); err != nil {
			log.Fatal(err)
		}
	}

	err = jobs.Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
		fmt.Printf("%s: attempt %d\n", m.Payload, m.Attempt)
		switch {
		case string(m.Payload) == "ghost":
			return fmt.Errorf("looking up: %w", errNoUser)
		case string(m.Payload) == "twice":
			return errAlready
		case m.Attempt == 1:
			return errBusy
		}
		stop()
		return nil
	},
		leanmq.Concurrency(1),
		leanmq.RejectOn(errNoUser, io.ErrUnexpectedEOF),
		leanmq.DropOn(errAlready),
		leanmq.RetryAfterOn(20*time.Millisecond, errBusy),
	)
	if err != nil {
		log.Fatal(err)
	}
	for letter, err := range jobs.DeadLetters(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s is dead: %s: %s\n", letter.Message.Payload, letter.Reason, letter.Error)
	}
	// Output:
	// ghost: attempt 1
	// twice: attempt 1
	// crowd: attempt 1
	// crowd: attempt 2
	// ghost is dead: rejected: looking up: no such user
}

// A dead letter tells how its last attempts failed.
func ExampleMessage_History() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	jobs := mq.Queue("jobs")
	if _, err := jobs.Send(ctx, []byte("resize")); err != nil {
		log.Fatal(err)
	}
	err = jobs.Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
		if m.Attempt == 3 {
			stop()
		}
		return fmt.Errorf("out of memory on try %d", m.Attempt)
	}, leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 3, Backoff: leanmq.FixedBackoff(time.Millisecond)}))
	if err != nil {
		log.Fatal(err)
	}

	for letter, err := range jobs.DeadLetters(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		for _, a := range letter.Message.History() {
			fmt.Println(a.Error, a.Worker != "", time.Since(a.At) < time.Minute)
		}
	}
	// Output:
	// out of memory on try 1 true true
	// out of memory on try 2 true true
	// out of memory on try 3 true true
}

// What has expired can be kept for a look at it; it is counted in any case.
func ExampleOnExpired() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	offers := mq.Queue("offers")
	if _, err := offers.Send(ctx, []byte("today only"), leanmq.TTL(time.Millisecond)); err != nil {
		log.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	if _, err := offers.Send(ctx, []byte("as ever")); err != nil {
		log.Fatal(err)
	}

	err = offers.Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
		fmt.Printf("handled: %s\n", m.Payload)
		stop()
		return nil
	}, leanmq.Concurrency(1), leanmq.OnExpired(leanmq.DeadLetterExpired))
	if err != nil {
		log.Fatal(err)
	}
	for letter, err := range offers.DeadLetters(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s\n", letter.Reason, letter.Message.Payload)
	}
	info, err := offers.Info(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("expired so far:", info.Expired)
	// Output:
	// handled: as ever
	// expired: today only
	// expired so far: 1
}
