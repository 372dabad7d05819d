package mqtest

import (
	"context"
	"errors"

	"github.com/leanmq/leanmq/leanmq"
)

// Work calls f with a client: it is what a worker process does, see testkit.Become.
// One that is asked to end before it has begun is not at fault.
func Work(ctx context.Context, url string, f func(mq *leanmq.Client) error) error {
	mq, err := leanmq.Open(ctx, url)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return err
	}
	return errors.Join(f(mq), mq.Close())
}
