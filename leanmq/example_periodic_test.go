package leanmq_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// Every process sets its jobs when it starts, and whichever consumes the queue runs
// them: each tick is enqueued once.
func ExampleQueue_SetPeriodic() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	reports := mq.Queue("reports")

	for _, job := range []leanmq.Periodic{
		{Name: "sales", Cron: "30 6 * * 1-5", Zone: "Europe/Berlin", Payload: []byte("yesterday")},
		{Name: "pulse", Every: time.Second},
	} {
		if err := reports.SetPeriodic(ctx, job); err != nil {
			log.Fatal(err)
		}
	}
	err = reports.Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
		tick, err := time.Parse(time.RFC3339, m.Header.Get(":tick"))
		if err != nil {
			return leanmq.Reject(err)
		}
		if m.Header.Get(":periodic") == "pulse" {
			fmt.Println(m.ID == "pulse@"+tick.Format(time.RFC3339))
			stop()
		}
		return nil
	}, leanmq.Concurrency(1))
	if err != nil {
		log.Fatal(err)
	}
	// Output: true
}

// Jobs can be looked at, paused, resumed and removed, from anywhere.
func ExampleQueue_PausePeriodic() {
	ctx := context.Background()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	reports := mq.Queue("reports")
	if err := reports.SetPeriodic(ctx, leanmq.Periodic{Name: "new-year", Cron: "0 0 1 1 *"}); err != nil {
		log.Fatal(err)
	}
	show := func() {
		jobs, err := reports.Periodics(ctx)
		if err != nil {
			log.Fatal(err)
		}
		for _, j := range jobs {
			if j.Paused {
				fmt.Println(j.Name, "is paused")
			} else {
				fmt.Println(j.Name, "is next on", j.Next.UTC().Format("January 2"))
			}
		}
	}

	show()
	if err := reports.PausePeriodic(ctx, "new-year"); err != nil {
		log.Fatal(err)
	}
	show()
	// Output:
	// new-year is next on January 1
	// new-year is paused
}
