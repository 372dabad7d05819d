package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// A job that is waiting or running is not queued a second time.
func ExampleUnique() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	reports := mq.Queue("reports")

	first, err := reports.Send(ctx, []byte("monthly"), leanmq.Unique("report-2026-07"))
	if err != nil {
		log.Fatal(err)
	}
	id, err := reports.Send(ctx, []byte("monthly"), leanmq.Unique("report-2026-07"))
	fmt.Println("duplicate:", errors.Is(err, leanmq.ErrDuplicate), "of the first:", id == first)

	puller, err := reports.Puller()
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = puller.Close() }()
	jobs, err := puller.Receive(ctx, 1)
	if err != nil {
		log.Fatal(err)
	}
	if err := jobs[0].Done(ctx); err != nil {
		log.Fatal(err)
	}
	_, err = reports.Send(ctx, []byte("monthly"), leanmq.Unique("report-2026-07"))
	fmt.Println("when it is done:", err)
	// Output:
	// duplicate: true of the first: true
	// when it is done: <nil>
}

// The same notification is not sent twice within an hour.
func ExampleUniqueFor() {
	ctx := context.Background()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	alerts := mq.Queue("alerts")

	for range 2 {
		_, err := alerts.Send(ctx, []byte("disk is full"), leanmq.UniqueFor("disk-full host-7", time.Hour))
		fmt.Println(errors.Is(err, leanmq.ErrDuplicate))
	}
	// Output:
	// false
	// true
}
