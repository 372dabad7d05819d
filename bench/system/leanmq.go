package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/leanmq/leanmq/bench/server"
	"github.com/leanmq/leanmq/gateway"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

// LeanMQ is this project.
var LeanMQ = System{
	Name:    "leanmq",
	Module:  "github.com/leanmq/leanmq",
	Setting: "Queue.Send and Consume with 16 workers; a webhook.Service with 64 workers and gateway.Request for requests; sender and worker are clients of their own",
	Needs:   Redis,
	Open:    openLeanMQ,
}

type lean struct {
	redis          *server.Redis
	sender, worker *leanmq.Client // as in two processes
	q              *leanmq.Queue
	paths          *webhook.Sender
	gw             *gateway.Gateway
}

func openLeanMQ(ctx context.Context, env Env) (io.Closer, error) {
	url := "redis://" + env.Redis.Addr
	sender, err := leanmq.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	worker, err := leanmq.Open(ctx, url)
	if err != nil {
		return nil, errors.Join(err, sender.Close())
	}
	return &lean{
		redis: env.Redis, sender: sender, worker: worker,
		q: sender.Queue("bench"), paths: webhook.NewSender(sender), gw: gateway.New(sender, gateway.Timeout(time.Minute)),
	}, nil
}

func (l *lean) Close() error {
	return errors.Join(l.gw.Close(), l.sender.Close(), l.worker.Close())
}

func (l *lean) Send(ctx context.Context, payload []byte) error {
	_, err := l.q.Send(ctx, payload)
	return err
}

func (l *lean) SendMany(ctx context.Context, payloads [][]byte) error {
	_, err := l.q.SendMany(ctx, payloads)
	return err
}

func (l *lean) Consume(ctx context.Context, workers int, handle func()) (func() error, error) {
	if workers == Best {
		workers = 16
	}
	q := l.worker.Queue("bench")
	return background(ctx, func(ctx context.Context) error {
		return q.Consume(ctx, func(context.Context, *leanmq.Message) error {
			handle()
			return nil
		}, leanmq.Concurrency(workers))
	}), nil
}

func (l *lean) Route(ctx context.Context, routes int, handle func()) (func() error, error) {
	svc := webhook.NewService("bench", l.worker)
	for i := range routes {
		svc.Handle(path(i), func(context.Context, *webhook.Request) (*webhook.Response, error) {
			handle()
			return nil, nil
		})
	}
	return l.serve(ctx, svc)
}

func path(route int) string { return fmt.Sprintf("/routes/%d", route) }

func (l *lean) SendTo(ctx context.Context, route int, payload []byte) error {
	_, err := l.paths.Send(ctx, path(route), payload)
	return err
}

// serve returns when the service has registered its routes.
func (l *lean) serve(ctx context.Context, svc *webhook.Service) (func() error, error) {
	failed := make(chan struct{})
	stop := background(ctx, func(ctx context.Context) error {
		err := svc.Run(ctx)
		if err != nil {
			close(failed)
		}
		return err
	})
	select {
	case <-svc.Ready():
		return stop, nil
	case <-failed:
		return nil, stop()
	}
}

func (l *lean) Serve(ctx context.Context) (func() error, error) {
	svc := webhook.NewService("bench", l.worker, webhook.ConsumeWith(leanmq.Concurrency(64)))
	svc.Handle("POST /echo", func(_ context.Context, r *webhook.Request) (*webhook.Response, error) {
		return &webhook.Response{Body: r.Body}, nil
	})
	return l.serve(ctx, svc)
}

func (l *lean) Request(ctx context.Context, payload []byte) ([]byte, error) {
	return gateway.Request[[]byte](ctx, l.gw, "/echo", payload)
}

// Silent registers the route and ends the service: requests wait in its queue.
func (l *lean) Silent(ctx context.Context) (func() error, error) {
	stop, err := l.Serve(ctx)
	if err != nil {
		return nil, err
	}
	return func() error { return nil }, stop()
}

func (l *lean) Web(ctx context.Context) (string, func() error, error) {
	stop, err := l.Serve(ctx)
	if err != nil {
		return "", nil, err
	}
	addr, stopHTTP, err := serveHTTP(l.gw)
	if err != nil {
		return "", nil, errors.Join(err, stop())
	}
	return addr, func() error { return errors.Join(stopHTTP(), stop()) }, nil
}

func (l *lean) Bury(ctx context.Context, n int, payload []byte) error {
	batch := slices.Repeat([][]byte{payload}, 500)
	for left := n; left > 0; left -= len(batch) {
		if err := l.SendMany(ctx, batch[:min(left, len(batch))]); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var buried atomic.Int64
	hopeless := leanmq.Reject(errors.New("hopeless"))
	return l.worker.Queue("bench").Consume(ctx, func(context.Context, *leanmq.Message) error {
		if buried.Add(1) == int64(n) {
			cancel() // Consume still settles it
		}
		return hopeless
	})
}

func (l *lean) ListDead(ctx context.Context) (n int, err error) {
	for _, err := range l.q.DeadLetters(ctx) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (l *lean) RequeueDead(ctx context.Context) (int, error) { return l.q.RequeueAll(ctx) }
