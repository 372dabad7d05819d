package embedded_test

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/leanmq/embedded"
)

// Most programs only import the package and open mem://. Start is for those
// that need the address, to give it to another client.
func ExampleStart() {
	server, err := embedded.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	options, err := redis.ParseURL(server.URL())
	if err != nil {
		fmt.Println(err)
		return
	}
	client := redis.NewClient(options)
	defer client.Close()
	fmt.Println(client.Ping(context.Background()).Val())
	// Output: PONG
}

// A clock that stands makes times exact, and a day short.
func ExampleStartAt() {
	server, err := embedded.StartAt(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	options, err := redis.ParseURL(server.URL())
	if err != nil {
		fmt.Println(err)
		return
	}
	client := redis.NewClient(options)
	defer client.Close()

	ctx := context.Background()
	client.Set(ctx, "session", "ada", 24*time.Hour)
	server.Advance(24*time.Hour - time.Millisecond)
	fmt.Println(client.Get(ctx, "session").Val(), client.Time(ctx).Val().UTC())
	server.Advance(time.Millisecond)
	fmt.Println(client.Get(ctx, "session").Err())
	// Output:
	// ada 2030-01-01 23:59:59.999 +0000 UTC
	// redis: nil
}
