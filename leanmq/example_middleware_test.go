package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// Middleware is a function around a handler.
func ExampleUse() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	orders := mq.Queue("orders")
	if _, err := orders.Send(ctx, []byte("42 chairs"), leanmq.WithHeader("tenant", "acme")); err != nil {
		log.Fatal(err)
	}

	type tenantKey struct{}
	tenants := func(next leanmq.Handler) leanmq.Handler {
		return func(ctx context.Context, m *leanmq.Message) error {
			tenant := m.Header.Get("tenant")
			if tenant == "" {
				return leanmq.Reject(errors.New("no tenant"))
			}
			return next(context.WithValue(ctx, tenantKey{}, tenant), m)
		}
	}
	err = orders.Consume(ctx, func(ctx context.Context, m *leanmq.Message) error {
		fmt.Printf("%s for %v\n", m.Payload, ctx.Value(tenantKey{}))
		stop()
		return nil
	}, leanmq.Use(leanmq.Recover(), tenants), leanmq.MaxRunTime(time.Minute))
	if err != nil {
		log.Fatal(err)
	}
	// Output: 42 chairs for acme
}

// Send middleware sees every message before it leaves.
func ExampleUseSend() {
	ctx := context.Background()
	sign := func(next leanmq.SendFunc) leanmq.SendFunc {
		return func(ctx context.Context, ms []*leanmq.Outgoing) error {
			for _, m := range ms {
				m.Header["sent-by"] = "billing"
			}
			err := next(ctx, ms)
			fmt.Printf("%d to %s: %v\n", len(ms), ms[0].Queue, err)
			return err
		}
	}
	mq, err := leanmq.Open(ctx, "mem://", leanmq.UseSend(sign))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()

	invoices := mq.Queue("invoices")
	if _, err := invoices.SendMany(ctx, [][]byte{[]byte("1"), []byte("2")}); err != nil {
		log.Fatal(err)
	}
	for m, err := range invoices.Waiting(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s, sent by %s\n", m.Payload, m.Header.Get("sent-by"))
	}
	// Output:
	// 2 to invoices: <nil>
	// 1, sent by billing
	// 2, sent by billing
}

// Hooks feed metrics.
func ExampleObserve() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://", leanmq.Observe(leanmq.Hooks{
		Sent: func(i leanmq.SendInfo) { fmt.Printf("sent %d of %d to %s\n", i.Sent, i.Count, i.Queue) },
		Handled: func(i leanmq.HandleInfo) {
			fmt.Printf("attempt %d: %s (%v)\n", i.Attempt, i.Outcome, i.Err)
			if i.Outcome == leanmq.OutcomeDone {
				stop()
			}
		},
	}))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	jobs := mq.Queue("jobs")
	if _, err := jobs.Send(ctx, nil); err != nil {
		log.Fatal(err)
	}
	err = jobs.Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
		if m.Attempt == 1 {
			return leanmq.RetryAfter(0, errors.New("not yet"))
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// sent 1 of 1 to jobs
	// attempt 1: retry (not yet)
	// attempt 2: done (<nil>)
}
