package leanmqtest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/leanmqtest"
)

// A shop thanks for every order by mail. The test looks at what the shop sends,
// and then lets the mailer deal with it.
func Example() {
	t, end := test() // a test has its own
	defer end()

	env := leanmqtest.New(t)
	mails := env.Queue("mails")

	order := func(product string) error {
		_, err := mails.Send(t.Context(), []byte("thank you for the "+product))
		return err
	}
	if err := order("cable"); err != nil {
		t.Fatal(err)
	}
	env.RequireSent(mails, "thank you for the cable")

	down := true
	mailer := func(context.Context, *leanmq.Message) error {
		if down {
			return leanmq.RetryAfter(time.Hour, errors.New("the mail server is down"))
		}
		return nil
	}
	fmt.Println(env.Drain(mails, mailer))
	down = false
	fmt.Println(env.Drain(mails, mailer))
	env.Advance(time.Hour)
	fmt.Println(env.Drain(mails, mailer))
	env.RequireEmpty(mails)
	// Output:
	// mails "thank you for the cable": retry in 1h0m0s: the mail server is down
	// nothing was ready
	// mails "thank you for the cable", attempt 2: done
}

// What a handler returns decides what becomes of a message, as it does in
// production.
func ExampleEnv_Drain() {
	t, end := test() // a test has its own
	defer end()

	env := leanmqtest.New(t)
	orders := env.Queue("orders")
	for _, product := range []string{"cable", "unicorn", "nil"} {
		if _, err := orders.Send(t.Context(), []byte(product)); err != nil {
			t.Fatal(err)
		}
	}

	drained := env.Drain(orders, func(_ context.Context, m *leanmq.Message) error {
		switch string(m.Payload) {
		case "unicorn":
			return leanmq.Reject(errors.New("no such product"))
		case "nil":
			panic("a bug")
		}
		return nil
	}, leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 1}))

	fmt.Println(drained)
	fmt.Println(len(drained.Done()), "done,", len(drained.Dead()), "dead")
	fmt.Println(env.DeadLetters(orders)[0].Error)
	// Output:
	// orders "cable": done
	// orders "unicorn": dead (rejected): no such product
	// orders "nil": dead (exhausted): panic: a bug
	// 1 done, 2 dead
	// no such product
}

// Handlers that send to each other are drained together.
func ExampleEnv_DrainAll() {
	t, end := test() // a test has its own
	defer end()

	env := leanmqtest.New(t)
	orders, invoices, mails := env.Queue("orders"), env.Queue("invoices"), env.Queue("mails")
	passOn := func(to *leanmq.Queue) leanmq.Handler {
		return func(ctx context.Context, m *leanmq.Message) error {
			_, err := to.Send(ctx, m.Payload)
			return err
		}
	}

	if _, err := orders.Send(t.Context(), []byte("cable")); err != nil {
		t.Fatal(err)
	}
	fmt.Println(env.DrainAll(
		leanmqtest.Worker{Queue: invoices, Handler: passOn(mails)},
		leanmqtest.Worker{Queue: orders, Handler: passOn(invoices)},
	))
	env.RequireSent(mails, "cable")
	// Output:
	// orders "cable": done
	// invoices "cable": done
}

// Days pass at once.
func ExampleEnv_Advance() {
	t, end := test() // a test has its own
	defer end()

	env := leanmqtest.New(t)
	reminders := env.Queue("reminders")
	remind := func() error {
		_, err := reminders.Send(t.Context(), []byte("pay your bill"),
			leanmq.Delay(7*24*time.Hour), leanmq.ID("bill-42"), leanmq.Dedupe(24*time.Hour))
		return err
	}
	done := func(context.Context, *leanmq.Message) error { return nil }

	fmt.Println(remind(), errors.Is(remind(), leanmq.ErrDuplicate))
	for _, m := range env.Sent(reminders) {
		fmt.Printf("%s in %v\n", m.Payload, m.Due.Sub(env.Now()))
	}
	fmt.Println(env.Drain(reminders, done))

	env.Advance(7 * 24 * time.Hour)
	fmt.Println(env.Drain(reminders, done))
	fmt.Println(remind()) // the id is forgotten
	// Output:
	// <nil> true
	// pay your bill in 168h0m0s
	// nothing was ready
	// reminders "pay your bill": done
	// <nil>
}

// Two clients stand for two processes: here the one that asks and the one that
// answers, with a worker that runs as in production.
func ExampleEnv_Run() {
	t, end := test() // a test has its own
	defer end()

	env := leanmqtest.New(t)
	service := env.Open()
	env.Run(func(ctx context.Context) error {
		return service.Queue("prices").Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
			m.Reply(leanmq.Reply{Status: 200, Payload: []byte("7.49 for a " + string(m.Payload))})
			return nil
		})
	})

	inbox, err := env.OpenInbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = inbox.Close() }()
	reply, err := inbox.Request(t.Context(), env.Queue("prices"), []byte("cable"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(reply.Status, string(reply.Payload))
	// Output: 200 7.49 for a cable
}
