package leanmq_test

import (
	"context"
	"fmt"
	"log"
	"sync/atomic"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// A queue that one Redis server is too small for is spread over the masters of a
// cluster. All processes run the same code and share its partitions out by
// themselves.
func ExampleClient_Partitioned() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	accounts := mq.Partitioned("accounts", 6)

	for _, step := range []string{"open", "deposit", "close"} {
		if _, err := accounts.Send(ctx, []byte(step), leanmq.OrderingKey("account-7")); err != nil {
			log.Fatal(err)
		}
	}
	audits := make([][]byte, 6)
	if _, err := accounts.SendMany(ctx, audits); err != nil { // one to each partition
		log.Fatal(err)
	}

	var left atomic.Int64
	left.Store(9)
	err = accounts.Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
		if len(m.Payload) > 0 {
			fmt.Printf("%s\n", m.Payload)
		}
		if left.Add(-1) == 0 {
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
