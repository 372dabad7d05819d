package leanmq_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// Messages with one ordering key are handled one after another, a failing one and its
// retries included. Those of other keys do not wait.
func ExampleOrderingKey() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	accounts := mq.Queue("accounts")
	for _, step := range []string{"open", "deposit", "close"} {
		if _, err := accounts.Send(ctx, []byte(step), leanmq.OrderingKey("account-7")); err != nil {
			log.Fatal(err)
		}
	}

	err = accounts.Consume(ctx, func(_ context.Context, m *leanmq.Message) error { // 16 at once
		if string(m.Payload) == "open" && m.Attempt == 1 {
			return leanmq.RetryAfter(20*time.Millisecond, nil)
		}
		fmt.Printf("%s\n", m.Payload)
		if string(m.Payload) == "close" {
			stop()
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// open
	// deposit
	// close
}
