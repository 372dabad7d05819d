package leanmq_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// A worker that becomes free takes the most urgent message there is.
func ExamplePriority() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	emails := mq.Queue("emails")
	for _, m := range []struct {
		text  string
		level leanmq.Level
	}{{"newsletter", leanmq.Low}, {"invoice", leanmq.Normal}, {"password reset", leanmq.Urgent}} {
		if _, err := emails.Send(ctx, []byte(m.text), leanmq.Priority(m.level)); err != nil {
			log.Fatal(err)
		}
	}

	err = emails.Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
		fmt.Printf("%s\n", m.Payload)
		if string(m.Payload) == "newsletter" {
			stop()
		}
		return nil
	}, leanmq.Concurrency(1))
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// password reset
	// invoice
	// newsletter
}

// With weights no level has to wait for another one to run dry.
func ExampleWeights() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	jobs := mq.Queue("jobs")
	for range 20 {
		for _, l := range []leanmq.Level{leanmq.High, leanmq.Normal} {
			if _, err := jobs.Send(ctx, fmt.Append(nil, l), leanmq.Priority(l)); err != nil {
				log.Fatal(err)
			}
		}
	}

	high, normal := 0, 0
	err = jobs.Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
		time.Sleep(12 * time.Millisecond)
		if high+normal == 20 {
			return nil
		}
		if string(m.Payload) == fmt.Sprint(leanmq.High) {
			high++
		} else {
			normal++
		}
		if high+normal == 20 {
			stop()
		}
		return nil
	}, leanmq.Concurrency(1), leanmq.Weights(map[leanmq.Level]int{leanmq.High: 3, leanmq.Normal: 1}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(high, "high,", normal, "normal")
	// Output: 15 high, 5 normal
}
