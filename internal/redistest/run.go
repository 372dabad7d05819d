package redistest

import (
	"context"
	"fmt"
	"os"
)

// RunCluster starts a cluster, calls started with its URL, and stops it when ctx
// ends. It leaves nothing behind.
func RunCluster(ctx context.Context, started func(url string)) error {
	binary, err := Binary()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "leanmq-cluster-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	c, err := launchCluster(binary, dir)
	if err != nil {
		return fmt.Errorf("start a cluster: %w", err)
	}
	defer c.stop()
	started(c.url())
	<-ctx.Done()
	return nil
}
