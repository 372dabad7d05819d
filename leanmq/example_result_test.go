package leanmq_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// A result is kept for whoever asks, in any process, before or after the end.
func ExampleQueue_Result() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	mq, err := leanmq.Open(ctx, "mem://")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = mq.Close() }()
	thumbnails := mq.Queue("thumbnails")
	ended := make(chan error)
	go func() {
		ended <- thumbnails.Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
			m.SetResult(fmt.Appendf(nil, "small-%s", m.Payload))
			return nil
		})
	}()

	id, err := thumbnails.Send(ctx, []byte("cat.png"), leanmq.KeepResult(time.Hour))
	if err != nil {
		log.Fatal(err)
	}
	result, err := thumbnails.Result(ctx, id)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %s\n", result.Status, result.Payload)

	stop()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
	// Output: done: small-cat.png
}
