package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

// What the core offers around its handlers is around those of routes as well: that
// of the service outside of that of the route, both outside of webhook's own.
func TestOptionsOfTheCoreApplyToRoutes(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var mu sync.Mutex
		var path []string
		by := func(name string) leanmq.Middleware {
			return func(next leanmq.Handler) leanmq.Handler {
				return func(ctx context.Context, m *leanmq.Message) error {
					mu.Lock()
					path = append(path, name)
					mu.Unlock()
					return next(ctx, m)
				}
			}
		}
		cause := make(chan error, 1)
		s := webhook.NewService("orders", open(t, url),
			webhook.ConsumeWith(leanmq.Use(by("service")), leanmq.MaxRunTime(time.Hour)))
		s.Handle("POST /slow", func(ctx context.Context, _ *webhook.Request) (*webhook.Response, error) {
			<-ctx.Done()
			cause <- context.Cause(ctx)
			return nil, fmt.Errorf("too slow: %w", ctx.Err())
		}, webhook.Consume(
			leanmq.Use(by("route")),
			leanmq.MaxRunTime(50*time.Millisecond), // a route's own wins
			leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 1}),
		))
		webhook.On(s, "POST /quick", func(context.Context, struct{}) error { return nil })
		run(t, s)

		mq := open(t, url)
		send(t, mq, "/slow", nil)
		if err := receive(t, cause); !errors.Is(err, leanmq.ErrTimeout) {
			t.Errorf("the handler's context ended with %v", err)
		}
		dead := settled(t, queue(t, mq, "POST", "/slow"))
		if len(dead) != 1 || dead[0].Reason != leanmq.ReasonExhausted || !strings.HasPrefix(dead[0].Error, "handler timeout after 50ms: too slow") {
			t.Errorf("%+v", dead)
		}
		// Whoever waits for an answer gets one.
		if r := request(t, mq, inbox(t, mq), "POST /slow", nil); r.Status != 500 {
			t.Errorf("status %d %s", r.Status, r.Payload)
		}
		<-cause
		if r := request(t, mq, inbox(t, mq), "POST /quick", nil); r.Status != 204 {
			t.Errorf("status %d %s", r.Status, r.Payload)
		}
		mu.Lock()
		defer mu.Unlock()
		if got := strings.Join(path, " "); got != "service route service route service" {
			t.Errorf("middleware was passed in this order: %s", got)
		}
	})
}

func TestRefusedOptionOfTheCoreEndsRun(t *testing.T) {
	s := webhook.NewService("orders", open(t, "mem://"))
	webhook.On(s, "POST /x", func(context.Context, struct{}) error { return nil },
		webhook.Consume(leanmq.Use(leanmq.Timeout(-1))))
	err := s.Run(t.Context())
	var bad *leanmq.InvalidError
	if !errors.As(err, &bad) || bad.Field != "Timeout" {
		t.Errorf("%v, want an InvalidError of Timeout", err)
	}
}
