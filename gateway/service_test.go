package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

// secret is in every error and panic of the service, and must reach no caller.
const secret = "postgres://admin:hunter2@db"

type order struct {
	User     string `json:"user" validate:"required"`
	Quantity int    `json:"quantity" validate:"min=1,max=9"`
}

type confirmation struct {
	ID    string `json:"id"`
	Order order  `json:"order"`
}

// serve runs a service that answers in all the ways that a gateway has to pass on.
func serve(t *testing.T, url string) {
	t.Helper()
	s := webhook.NewService("orders", open(t, url))
	orders := s.Group("/orders")
	webhook.Handle(orders, "POST /create", func(_ context.Context, in order) (confirmation, error) {
		return confirmation{"42", in}, nil
	}, webhook.Status(201))
	webhook.Handle(orders, "GET /{id}", func(_ context.Context, in struct {
		ID    string   `path:"id" json:"-"`
		Items []string `query:"item" json:"-"`
	},
	) (confirmation, error) {
		if in.ID != "42" {
			return confirmation{}, webhook.NotFound("there is no order %q", in.ID)
		}
		return confirmation{in.ID, order{strings.Join(in.Items, "+"), 1}}, nil
	})
	webhook.Handle(orders, "DELETE /{id}", func(context.Context, struct{}) (struct{}, error) { return struct{}{}, nil })

	// What arrived here, for a look at it.
	s.Handle("/seen/{rest...}", func(_ context.Context, r *webhook.Request) (*webhook.Response, error) {
		list := []string{r.Method, r.Path, r.Query, string(r.Body)}
		for _, name := range slices.Sorted(maps.Keys(r.Message.Header)) {
			list = append(list, name+"="+r.Message.Header[name])
		}
		body, err := json.Marshal(list)
		return &webhook.Response{Body: body}, err
	})
	s.Handle("/answer", func(context.Context, *webhook.Request) (*webhook.Response, error) {
		return &webhook.Response{
			Status: 202,
			Header: leanmq.Header{
				"content-type": "text/plain; charset=utf-8", "etag": `"v1"`, "location": "/there", "set-cookie": "a=b",
				"connection": "close", "keep-alive": "timeout=5", "transfer-encoding": "chunked", "content-length": "7",
				"upgrade": "websocket", "trailer": "etag", "te": "trailers", "proxy-authenticate": "Basic", "x-request-id": "another",
			},
			Body: []byte("the answer"),
		}, nil
	})
	s.Handle("/bytes", func(context.Context, *webhook.Request) (*webhook.Response, error) {
		return &webhook.Response{Header: leanmq.Header{"content-type": "application/octet-stream"}, Body: []byte("\x00\xff\n")}, nil
	})
	for _, code := range []int{204, 304} {
		s.Handle(fmt.Sprintf("/status/%d", code), func(context.Context, *webhook.Request) (*webhook.Response, error) {
			return &webhook.Response{Status: code, Body: []byte("a body that must not be")}, nil
		})
	}
	s.Handle("/status/418", func(context.Context, *webhook.Request) (*webhook.Response, error) {
		return &webhook.Response{Status: 418, Body: []byte("no problem details")}, nil
	})
	s.Handle("/status/7", func(context.Context, *webhook.Request) (*webhook.Response, error) {
		return &webhook.Response{Status: 7}, nil
	})
	s.Handle("/busy", func(context.Context, *webhook.Request) (*webhook.Response, error) {
		p := webhook.NewProblem(503, "come back later")
		p.RetryAfter = 90 * time.Second
		return nil, p
	})
	s.Handle("/error", func(context.Context, *webhook.Request) (*webhook.Response, error) { return nil, errors.New(secret) })
	s.Handle("/panic", func(context.Context, *webhook.Request) (*webhook.Response, error) { panic(secret) })
	over := make(chan struct{}) // the test
	s.Handle("/slow", func(ctx context.Context, _ *webhook.Request) (*webhook.Response, error) {
		select {
		case <-ctx.Done():
		case <-over:
		}
		return nil, ctx.Err()
	})
	run(t, s)
	t.Cleanup(func() { close(over) })
}
