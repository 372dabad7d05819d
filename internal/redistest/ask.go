package redistest

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// formLimit bounds the wait for several servers to agree: a loaded CI machine.
const formLimit = 60 * time.Second

// with calls f with a connection to a server.
func (s *server) with(f func(context.Context, *redis.Client) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c := redis.NewClient(&redis.Options{
		Addr: s.addr(), Protocol: 2, DisableIdentity: true, PoolSize: 1, MaxRetries: -1, DialerRetries: 1,
		ContextTimeoutEnabled: true,
	})
	defer func() { _ = c.Close() }()
	return f(ctx, c)
}

// do runs a command whose reply does not matter.
func do(s *server, args ...any) error {
	return s.with(func(ctx context.Context, c *redis.Client) error {
		if err := c.Do(ctx, args...).Err(); err != nil {
			return fmt.Errorf("%s: %v: %w", s.addr(), args, err)
		}
		return nil
	})
}

// text runs a command that returns a string.
func (s *server) text(args ...any) (text string, err error) {
	err = s.with(func(ctx context.Context, c *redis.Client) (err error) {
		text, err = c.Do(ctx, args...).Text()
		return err
	})
	return text, err
}

func (s *server) slots() (slots []redis.ClusterSlot, err error) {
	err = s.with(func(ctx context.Context, c *redis.Client) (err error) {
		slots, err = c.ClusterSlots(ctx).Result()
		return err
	})
	return slots, err
}

// waitFor waits until there is no reason any more not to go on.
func waitFor(what string, reason func() error) error {
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err := reason()
		if err == nil {
			return nil
		}
		if time.Since(begin) > formLimit {
			return fmt.Errorf("still waiting for %s after %v: %w", what, formLimit, err)
		}
	}
}
