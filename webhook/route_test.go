package webhook_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

// answering registers handlers that tell which pattern they were reached by.
func answering(s *webhook.Service, patterns ...string) *webhook.Service {
	for _, p := range patterns {
		s.Handle(p, func(_ context.Context, r *webhook.Request) (*webhook.Response, error) {
			return &webhook.Response{Body: []byte(r.Pattern + "|" + r.Method + "|" + r.PathValue("x"))}, nil
		})
	}
	return s
}

func TestRequestReachesTheMostSpecificPattern(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		// The pattern decides, not the service, nor who was there first.
		run(t, answering(webhook.NewService("files", open(t, url)), "/files/{x...}", "GET /files/readme", "/"))
		run(t, answering(webhook.NewService("docs", open(t, url)), "/files/{x}", "/files/docs/index", "/files/docs", "POST /files/readme"))
		mq := open(t, url)
		in := inbox(t, mq)
		for target, want := range map[string]string{
			"GET /files/readme":       "GET /files/readme|GET|",
			"HEAD /files/readme":      "GET /files/readme|HEAD|",
			"POST /files/readme":      "POST /files/readme|POST|",
			"PUT /files/readme":       "/files/{x}|PUT|readme",
			"GET /files/other":        "/files/{x}|GET|other",
			"GET /files/a%2Fb":        "/files/{x}|GET|a/b",
			"GET /files/docs":         "/files/docs|GET|",
			"GET /files/docs/index":   "/files/docs/index|GET|",
			"GET /files/docs/other":   "/files/{x...}|GET|docs/other",
			"GET /files/a/b/c%2Fd":    "/files/{x...}|GET|a/b/c/d",
			"GET /files":              "/files/{x...}|GET|",
			"GET /files/":             "/files/{x...}|GET|",
			"GET /":                   "/|GET|",
			"GET /files/docs/":        "/files/docs|GET|",
			"GET /files/docs/index/":  "/files/docs/index|GET|",
			"GET /files/docs/other/":  "/files/{x...}|GET|docs/other",
			"GET /files/docs?x=1/2/3": "/files/docs|GET|",
		} {
			if got := string(request(t, mq, in, target, nil).Payload); got != want {
				t.Errorf("%s reached %s, want %s", target, got, want)
			}
		}
	})
}

func TestSendIsRefusedWhenThePathHasOtherMethodsOnly(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		got := make(chan string, 1)
		s := webhook.NewService("orders", open(t, url))
		for _, p := range []string{"GET /a", "PUT /a", "POST /b", "/c"} {
			s.Handle(p, func(_ context.Context, r *webhook.Request) (*webhook.Response, error) {
				got <- r.Method + " " + r.Path
				return nil, nil
			})
		}
		run(t, s)
		mq := open(t, url)
		for path, want := range map[string]string{
			"GET /a": "GET /a", "HEAD /a": "HEAD /a", "PUT /a": "PUT /a", "/b": "POST /b", "POST /b": "POST /b", "/c": "POST /c",
			"DELETE /c": "DELETE /c", "LINK /c": "LINK /c",
		} {
			send(t, mq, path, nil)
			if v := receive(t, got); v != want {
				t.Errorf("sent to %q, reached %q", path, v)
			}
		}
		for path, allow := range map[string]string{"/a": "GET HEAD PUT", "DELETE /a": "GET HEAD PUT", "GET /b": "POST", "post /b": "POST"} {
			_, err := webhook.NewSender(mq).Send(t.Context(), path, nil)
			var p *webhook.Problem
			if !errors.As(err, &p) || p.Status != 405 || strings.Join(p.Allow, " ") != allow {
				t.Errorf("sent to %q: %v, want 405 that allows %s", path, err, allow)
			}
		}
		if n := parked(t, mq); n != 0 {
			t.Errorf("%d messages are parked", n)
		}
	})
}

func TestSendRefusesAMalformedPath(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		for _, path := range []string{"", "orders", "POST orders", "POST", "/a//b", "/a/../b", "/%zz", "GET POST /a", "//a", "get /a", " /a", "GE{T /a"} {
			if _, err := webhook.NewSender(mq).Send(t.Context(), path, nil); !errors.Is(err, leanmq.ErrInvalid) {
				t.Errorf("%q: %v, want ErrInvalid", path, err)
			}
		}
		if _, err := webhook.NewSender(mq).Send(t.Context(), "/a", func() {}); err == nil {
			t.Error("a func was sent")
		}
		if n := parked(t, mq); n != 0 {
			t.Errorf("%d messages are parked", n)
		}
	})
}
