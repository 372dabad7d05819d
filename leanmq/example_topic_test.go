package leanmq_test

import (
	"context"
	"fmt"
	"log"

	"github.com/leanmq/leanmq/leanmq"
	_ "github.com/leanmq/leanmq/leanmq/embedded"
)

// Each group of a topic gets every message, and can get them all again.
func ExampleTopic() {
	ctx := context.Background()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer mq.Close()

	orders := mq.Topic("shop:orders")
	for _, event := range []string{"order.created", "order.item.added", "order.paid"} {
		if _, err := orders.Publish(ctx, []byte("order 42"), leanmq.Type(event)); err != nil {
			log.Fatal(err)
		}
	}

	billing := orders.Group("billing")
	read := func(n int) {
		ctx, stop := context.WithCancel(ctx)
		err := billing.Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
			fmt.Println(m.Type, "of", string(m.Payload))
			if n--; n == 0 {
				stop()
			}
			return nil
		}, leanmq.Types("order.*"), leanmq.Concurrency(1))
		if err != nil {
			log.Fatal(err)
		}
	}
	read(2)
	if err := billing.Seek(ctx, leanmq.FromBeginning()); err != nil {
		log.Fatal(err)
	}
	fmt.Println("again:")
	read(2)
	// Output:
	// order.created of order 42
	// order.paid of order 42
	// again:
	// order.created of order 42
	// order.paid of order 42
}
