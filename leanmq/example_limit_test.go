package leanmq_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// Limits bound what all consumers of a queue do together, in however many
// processes: here what a partner's API allows.
func ExampleLimitTo() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	calls := mq.Queue("calls")
	if _, err := calls.SendMany(ctx, make([][]byte, 11)); err != nil {
		log.Fatal(err)
	}

	begin, n := time.Now(), 0
	err = calls.Consume(ctx, func(context.Context, *leanmq.Message) error {
		if n++; n == 11 { // one runs at a time
			stop()
		}
		return nil
	}, leanmq.LimitTo(leanmq.Limits{Running: 1, Rate: 100}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("100 a second are not exceeded:", time.Since(begin) >= 100*time.Millisecond)
	// Output: 100 a second are not exceeded: true
}

// The limits of a queue can be changed while it is consumed.
func ExampleQueue_SetLimits() {
	ctx := context.Background()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	calls := mq.Queue("calls")

	if err := calls.SetLimits(ctx, leanmq.Limits{Running: 20, Rate: 600, Per: time.Minute, Burst: 10}); err != nil {
		log.Fatal(err)
	}
	limits, err := calls.Limits(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", limits)
	// Output: {Running:20 Rate:600 Per:1m0s Burst:10}
}
