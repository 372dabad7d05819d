package webhook_test

import (
	"context"
	"fmt"
	"time"

	"github.com/leanmq/leanmq/leanmq"
	_ "github.com/leanmq/leanmq/leanmq/embedded" // makes mem:// work
	"github.com/leanmq/leanmq/webhook"
)

// An event reaches every service that has subscribed to it, also one that comes up later.
func ExampleSubscribe() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = mq.Close() }()
	type created struct {
		ID    int `json:"id"`
		Cents int `json:"cents"`
	}

	if _, err := webhook.NewSender(mq).Publish(ctx, "/events/order.created", created{42, 999}); err != nil {
		fmt.Println(err)
		return
	}

	// One process may run one service or several; each of them gets the event.
	billed, mailed := make(chan string, 1), make(chan string, 1)
	billing := webhook.NewService("billing", mq)
	webhook.Subscribe(billing, "/events/order.*", func(ctx context.Context, ev created) error {
		billed <- fmt.Sprintf("%s: %d cents", webhook.FromContext(ctx).Path, ev.Cents)
		return nil
	})
	mail := webhook.NewService("mail", mq)
	webhook.Subscribe(mail, "/events/#", func(_ context.Context, ev created) error {
		mailed <- fmt.Sprintf("thank you for order %d", ev.ID)
		return nil
	})
	ended := make(chan error, 2)
	go func() { ended <- billing.Run(ctx) }()
	go func() { ended <- mail.Run(ctx) }()

	fmt.Println(<-billed)
	fmt.Println(<-mailed)
	stop()
	fmt.Println(<-ended, <-ended)
	// Output:
	// /events/order.created: 999 cents
	// thank you for order 42
	// <nil> <nil>
}
