package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// Messages handled together are settled one by one.
func ExampleQueue_ConsumeBatches() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	clicks := mq.Queue("clicks")
	if _, err := clicks.SendMany(ctx, [][]byte{[]byte("a"), []byte("b"), []byte("?"), []byte("c")}); err != nil {
		log.Fatal(err)
	}

	// Four of them, or what has come a second after the first.
	err = clicks.ConsumeBatches(ctx, 4, time.Second, func(_ context.Context, batch []*leanmq.Message) []error {
		defer stop()
		fmt.Println("a batch of", len(batch))
		errs := make([]error, len(batch)) // nil: done
		for i, m := range batch {
			if string(m.Payload) == "?" {
				errs[i] = leanmq.Reject(errors.New("not a click"))
			}
		}
		return errs
	})
	if err != nil {
		log.Fatal(err)
	}
	info, err := clicks.Info(context.Background())
	fmt.Println("dead:", info.Dead, "left:", info.Ready+info.InFlight, err)
	// Output:
	// a batch of 4
	// dead: 1 left: 0 <nil>
}
