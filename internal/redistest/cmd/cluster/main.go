// Cluster starts a Redis Cluster of 3 masters and 3 replicas on loopback to play
// with, prints its URL, and ends it at an interrupt.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/leanmq/leanmq/internal/redistest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := redistest.RunCluster(ctx, func(url string) {
		fmt.Printf("export LEANMQ_REDIS_URL='%s'\n", url)
		fmt.Fprintln(os.Stderr, "Ctrl-C ends it")
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}
