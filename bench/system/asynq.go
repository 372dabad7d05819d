package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/hibiken/asynq"
)

// Asynq is the task queue of most Go programs with Redis.
var Asynq = System{
	Name:    "asynq",
	Module:  "github.com/hibiken/asynq",
	Setting: "Client.Enqueue with 100 connections; Server with Concurrency 16 or what the scenario says, and TaskCheckInterval 10ms (its default of 1s is how long an idle queue's message waits)",
	Lacks:   "sending in batches, request and reply, fencing; archives at most 10,000 dead tasks and deletes the oldest beyond",
	Without: "batches, fencing",
	Needs:   Redis,
	Open:    openAsynq,
}

type asynqs struct {
	redis  asynq.RedisClientOpt
	client *asynq.Client
	ops    *asynq.Inspector
}

func openAsynq(_ context.Context, env Env) (io.Closer, error) {
	r := asynq.RedisClientOpt{Addr: env.Redis.Addr, PoolSize: 100}
	return &asynqs{redis: r, client: asynq.NewClient(r), ops: asynq.NewInspector(r)}, nil
}

func (a *asynqs) Close() error { return errors.Join(a.client.Close(), a.ops.Close()) }

func (a *asynqs) Send(ctx context.Context, payload []byte) error {
	_, err := a.client.EnqueueContext(ctx, asynq.NewTask("bench", payload))
	return err
}

func (a *asynqs) Consume(_ context.Context, workers int, handle func()) (func() error, error) {
	return a.serve(workers, asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		handle()
		return nil
	}))
}

func (a *asynqs) serve(workers int, h asynq.Handler) (func() error, error) {
	if workers == Best {
		workers = 16
	}
	srv := asynq.NewServer(a.redis, asynq.Config{
		Concurrency:       workers,
		TaskCheckInterval: 10 * time.Millisecond,
		LogLevel:          asynq.FatalLevel,
	})
	if err := srv.Start(h); err != nil {
		return nil, err
	}
	return func() error { srv.Shutdown(); return nil }, nil
}

func (a *asynqs) Route(_ context.Context, routes int, handle func()) (func() error, error) {
	mux := asynq.NewServeMux()
	for i := range routes {
		mux.HandleFunc(taskType(i), func(context.Context, *asynq.Task) error {
			handle()
			return nil
		})
	}
	return a.serve(Best, mux)
}

func taskType(route int) string { return fmt.Sprintf("bench:%d:", route) }

func (a *asynqs) SendTo(ctx context.Context, route int, payload []byte) error {
	_, err := a.client.EnqueueContext(ctx, asynq.NewTask(taskType(route), payload))
	return err
}

func (a *asynqs) Bury(ctx context.Context, n int, payload []byte) error {
	if err := spread(n, 100, func() error { return a.Send(ctx, payload) }); err != nil {
		return err
	}
	stop, err := a.serve(Best, asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		return fmt.Errorf("hopeless: %w", asynq.SkipRetry)
	}))
	if err != nil {
		return err
	}
	for {
		info, err := a.ops.GetQueueInfo("default")
		if err != nil || info.Pending+info.Active == 0 {
			return errors.Join(err, stop())
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), stop())
		}
	}
}

func (a *asynqs) ListDead(context.Context) (n int, err error) {
	for page := 1; ; page++ {
		tasks, err := a.ops.ListArchivedTasks("default", asynq.Page(page), asynq.PageSize(deadPage))
		if err != nil || len(tasks) == 0 {
			return n, err
		}
		n += len(slices.DeleteFunc(tasks, func(t *asynq.TaskInfo) bool { return t == nil }))
	}
}

func (a *asynqs) RequeueDead(context.Context) (int, error) {
	return a.ops.RunAllArchivedTasks("default")
}

// MaxDead implements [Bounded]: asynq drops the oldest when it reaches its maxArchiveSize
// of 10,000.
func (a *asynqs) MaxDead() int { return 9_000 }
