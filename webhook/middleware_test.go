package webhook_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

// trail is middleware that leaves its name, on the way in and on the way out.
func trail(name string) webhook.Middleware {
	return func(next webhook.Handler) webhook.Handler {
		return func(ctx context.Context, r *webhook.Request) (*webhook.Response, error) {
			path, _ := ctx.Value(trailKey{}).(*[]string)
			if path == nil {
				path = &[]string{}
				ctx = context.WithValue(ctx, trailKey{}, path)
			}
			*path = append(*path, name)
			resp, err := next(ctx, r)
			*path = append(*path, name)
			if err == nil {
				resp = &webhook.Response{Body: []byte(strings.Join(*path, " "))}
			}
			return resp, err
		}
	}
}

type trailKey struct{}

func TestGroupsAndMiddleware(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := webhook.NewService("orders", open(t, url), webhook.Use(trail("a"), trail("b")))
		silent := func(context.Context, *webhook.Request) (*webhook.Response, error) { return nil, nil }
		v1 := s.Group("/v1", trail("c"), trail("d"))
		orders := v1.Group("/orders/", trail("e"))
		v1.Group("/other", trail("x")) // must not leave its mark on its siblings
		s.Handle("GET /plain", silent)
		s.Handle("GET /with", silent, webhook.With(trail("f"), trail("g")), webhook.With(trail("h")))
		v1.Handle("GET /{x}", silent)
		orders.Handle("GET /", silent)
		orders.Handle("GET /{id}/items", silent, webhook.With(trail("f")))
		webhook.Handle(orders, "POST /create", func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil })
		run(t, s)

		mq := open(t, url)
		in := inbox(t, mq)
		for target, want := range map[string]string{
			"GET /plain":             "a b b a",
			"GET /with":              "a b f g h h g f b a",
			"GET /v1/7":              "a b c d d c b a",
			"GET /v1/orders":         "a b c d e e d c b a",
			"GET /v1/orders/7/items": "a b c d e f f e d c b a",
			"POST /v1/orders/create": "a b c d e e d c b a",
		} {
			if got := string(request(t, mq, in, target, nil).Payload); got != want {
				t.Errorf("%s: %q, want %q", target, got, want)
			}
		}
	})
}

func TestMiddlewareCanAnswerInsteadOfTheHandler(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var called atomic.Bool
		guard := func(next webhook.Handler) webhook.Handler {
			return func(ctx context.Context, r *webhook.Request) (*webhook.Response, error) {
				if r.Header("authorization") == "" {
					return nil, webhook.NewProblem(401, "who are you?")
				}
				return next(ctx, r)
			}
		}
		s := webhook.NewService("orders", open(t, url), webhook.Use(guard))
		s.Handle("/orders", func(context.Context, *webhook.Request) (*webhook.Response, error) {
			called.Store(true)
			return nil, nil
		})
		run(t, s)
		mq := open(t, url)
		in := inbox(t, mq)
		if r := request(t, mq, in, "GET /orders", nil); r.Status != 401 || problem(t, r).Detail != "who are you?" || called.Load() {
			t.Errorf("status %d %s, handler called: %v", r.Status, r.Payload, called.Load())
		}
		if r := request(t, mq, in, "GET /orders", nil, leanmq.WithHeader("authorization", "me")); r.Status != 204 || !called.Load() {
			t.Errorf("status %d, handler called: %v", r.Status, called.Load())
		}
	})
}
