package embedded_test

import (
	"context"
	"fmt"

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
