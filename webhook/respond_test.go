package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

type greeting struct {
	Hello string `json:"hello"`
}

// secret must reach no caller.
const secret = "postgres://admin:hunter2@db"

func problemWith(change func(*webhook.Problem)) *webhook.Problem {
	p := webhook.NewProblem(503, "busy")
	change(p)
	return p
}

func TestAnswer(t *testing.T) {
	type header = leanmq.Header
	hello := greeting{"world"}
	problemJSON := header{"content-type": "application/problem+json"}
	tests := []struct {
		name     string
		register func(r webhook.Router, pattern string)
		status   int
		header   header // a part of it
		body     string // "{…" is JSON, of which the order does not matter
	}{
		{"a value", returns(hello, nil), 200, nil, `{"hello":"world"}`},
		{"a value with a status", returns(hello, nil, webhook.Status(201)), 201, nil, `{"hello":"world"}`},
		{"nothing", returns(struct{}{}, nil), 204, nil, ""},
		{"nothing with a status", returns(struct{}{}, nil, webhook.Status(202)), 202, nil, ""},
		{"an event", func(r webhook.Router, pattern string) {
			webhook.On(r, pattern, func(context.Context, struct{}) error { return nil })
		}, 204, nil, ""},
		{"a plain handler's nil", returns[*webhook.Response](nil, nil), 204, nil, ""},
		{"bytes", returns([]byte("\x00\xff"), nil), 200, header{"content-type": "application/octet-stream"}, "\x00\xff"},
		{"raw JSON", returns(json.RawMessage(`{ "a": 1 }`), nil), 200, nil, `{ "a": 1 }`},
		{"a text", returns("text", nil), 200, nil, `"text"`},
		{
			"a response", returns(&webhook.Response{Status: 303, Header: header{"location": "/there"}, Body: []byte("moved")}, nil, webhook.Status(201)),
			303,
			header{"location": "/there"},
			"moved",
		},
		{"a response without a status", returns(&webhook.Response{Body: []byte("x")}, nil, webhook.Status(201)), 201, nil, "x"},
		{
			"a problem", returns(hello, webhook.NotFound("there is no order %d", 7)), 404, problemJSON,
			`{"title":"Not Found","status":404,"detail":"there is no order 7","request_id":"req-1"}`,
		},
		{
			"a wrapped problem", returns(hello, fmt.Errorf("%s: %w", secret, webhook.Conflict("taken"))), 409, problemJSON,
			`{"title":"Conflict","status":409,"detail":"taken","request_id":"req-1"}`,
		},
		{
			"a problem of a type of its own",
			returns(hello, problemWith(func(p *webhook.Problem) { p.Type, p.Title = "https://example.com/busy", "Too much" })),
			503,
			problemJSON,
			`{"type":"https://example.com/busy","title":"Too much","status":503,"detail":"busy","request_id":"req-1"}`,
		},
		{
			"a problem with a cause", returns(hello, webhook.NewProblem(502, "no").WithCause(errors.New(secret))), 502, problemJSON,
			`{"title":"Bad Gateway","status":502,"detail":"no","request_id":"req-1"}`,
		},
		{
			"a problem to retry", returns(hello, problemWith(func(p *webhook.Problem) { p.RetryAfter = 1500 * time.Millisecond })), 503,
			header{"retry-after": "2"},
			`{"title":"Service Unavailable","status":503,"detail":"busy","request_id":"req-1"}`,
		},
		{
			"a problem with methods", returns(hello, problemWith(func(p *webhook.Problem) { p.Status, p.Allow = 405, []string{"GET", "PUT"} })), 405,
			header{"allow": "GET, PUT"},
			`{"title":"Service Unavailable","status":405,"detail":"busy","request_id":"req-1"}`,
		},
		{
			"fields", returns(hello, webhook.Unprocessable(webhook.FieldProblem{Field: "a", Reason: "is odd"})), 422, problemJSON,
			`{"title":"Unprocessable Entity","status":422,"detail":"the request is well-formed but not valid","request_id":"req-1","fields":[{"field":"a","reason":"is odd"}]}`,
		},
		{"an error", returns(hello, errors.New(secret)), 500, problemJSON, internalError},
		{"a rejection", returns(hello, leanmq.Reject(errors.New(secret))), 500, problemJSON, internalError},
		{"a panic", func(r webhook.Router, pattern string) {
			r.Handle(pattern, func(context.Context, *webhook.Request) (*webhook.Response, error) { panic(secret) })
		}, 500, problemJSON, internalError},
		{
			"what is not JSON", returns(make(chan int), nil), 500, problemJSON,
			`{"title":"Internal Server Error","status":500,"detail":"the response cannot be encoded","request_id":"req-1"}`,
		},
	}
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := webhook.NewService("answers", open(t, url))
		for i, tt := range tests {
			tt.register(s, fmt.Sprintf("POST /%d", i))
		}
		run(t, s)
		mq := open(t, url)
		in := inbox(t, mq)
		for i, tt := range tests {
			target := fmt.Sprintf("POST /%d", i)
			r := request(t, mq, in, target, nil, leanmq.WithHeader("x-request-id", "req-1"))
			if r.Status != tt.status || !sameJSON(r.Payload, tt.body) {
				t.Errorf("%s: %d %s, want %d %s", tt.name, r.Status, r.Payload, tt.status, tt.body)
			}
			for name, want := range tt.header {
				if got := r.Header.Get(name); got != want {
					t.Errorf("%s: %s: %q, want %q", tt.name, name, got, want)
				}
			}
			if all := fmt.Sprint(r.Header, string(r.Payload)); strings.Contains(all, "hunter2") {
				t.Errorf("%s: the caller gets to see %s", tt.name, all)
			}
			// The caller knows: what failed is not tried again behind its back.
			q := queue(t, mq, "POST", target[len("POST "):])
			if dead := settled(t, q); len(dead) != 0 {
				t.Errorf("%s: %d dead letters", tt.name, len(dead))
			}
		}
		if d := in.Stats().Dropped; d != 0 {
			t.Errorf("%d more replies came", d)
		}
	})
}

const internalError = `{"title":"Internal Server Error","status":500,"detail":"the service failed to handle the request","request_id":"req-1"}`

// returns registers a handler that returns the same always.
func returns[T any](v T, err error, opts ...webhook.RouteOption) func(webhook.Router, string) {
	return func(r webhook.Router, pattern string) {
		webhook.Handle(r, pattern, func(context.Context, struct{}) (T, error) { return v, err }, opts...)
	}
}

// sameJSON compares problems by what they say, and all else by its bytes.
func sameJSON(got []byte, want string) bool {
	if !strings.Contains(want, `"status"`) {
		return string(got) == want
	}
	var a, b map[string]any
	if json.Unmarshal(got, &a) != nil || json.Unmarshal([]byte(want), &b) != nil {
		return false
	}
	return fmt.Sprint(a) == fmt.Sprint(b)
}

func TestRequestWithoutAnIDIsAnsweredWithoutOne(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := webhook.NewService("answers", open(t, url))
		returns(greeting{}, webhook.NotFound("nothing here"))(s, "/x")
		run(t, s)
		mq := open(t, url)
		if r := request(t, mq, inbox(t, mq), "GET /x", nil); strings.Contains(string(r.Payload), "request_id") {
			t.Errorf("%s", r.Payload)
		}
	})
}

// failing is a service whose handler fails at the first attempt and not at the
// second.
func failing(t *testing.T, url string, policy leanmq.RetryPolicy, err error) (attempts chan time.Time) {
	t.Helper()
	attempts = make(chan time.Time, 10)
	s := webhook.NewService("orders", open(t, url), webhook.ConsumeWith(leanmq.Retry(policy)))
	s.Handle("/orders", func(_ context.Context, r *webhook.Request) (*webhook.Response, error) {
		attempts <- time.Now()
		if r.Message.Attempt == 1 {
			return nil, err
		}
		return &webhook.Response{Body: []byte("at last")}, nil
	})
	run(t, s)
	return attempts
}

func TestErrorWithoutACallerIsRetried(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		for name, err := range map[string]error{
			"error":       errors.New("the database is away"),
			"problem 500": webhook.NewProblem(500, "no"),
			"problem 503": webhook.NewProblem(503, "no"),
			"problem 408": webhook.NewProblem(408, "no"),
			"problem 429": fmt.Errorf("wrapped: %w", webhook.NewProblem(429, "no")),
		} {
			t.Run(name, func(t *testing.T) {
				attempts := failing(t, url, leanmq.RetryPolicy{MinBackoff: time.Millisecond}, err)
				mq := open(t, url)
				send(t, mq, "/orders", nil)
				receive(t, attempts)
				receive(t, attempts)
				if dead := settled(t, queue(t, mq, "POST", "/orders")); len(dead) != 0 || len(attempts) != 0 {
					t.Errorf("%d dead letters, %d more attempts", len(dead), len(attempts))
				}
			})
		}
	})
}

func TestClientsFaultWithoutACallerIsDeadLettered(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		for name, err := range map[string]error{
			"problem 404": webhook.NotFound("there is no order 7"),
			"problem 409": fmt.Errorf("wrapped: %w", webhook.Conflict("there is no order 7")),
			"rejection":   leanmq.Reject(errors.New("there is no order 7")),
		} {
			t.Run(name, func(t *testing.T) {
				attempts := failing(t, url, leanmq.RetryPolicy{MinBackoff: time.Millisecond}, err)
				mq := open(t, url)
				id := send(t, mq, "/orders", nil)
				receive(t, attempts)
				q := queue(t, mq, "POST", "/orders")
				dead := settled(t, q)
				if len(dead) != 1 || len(attempts) != 0 {
					t.Fatalf("%d dead letters, %d more attempts", len(dead), len(attempts))
				}
				d := dead[0]
				if d.Message.ID != id || d.Reason != leanmq.ReasonRejected || d.Message.Attempt != 1 || !strings.Contains(d.Error, "there is no order 7") {
					t.Errorf("%s is dead: %s after %d attempts: %s", d.Message.ID, d.Reason, d.Message.Attempt, d.Error)
				}
				if _, err := q.PurgeDead(t.Context(), d.Letter); err != nil {
					t.Fatal(err)
				}
			})
		}
	})
}

// The policy would wait for an hour, so it is not the policy that decides.
func TestRetryAfterOfAProblemIsWhenItIsRetried(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const after = 100 * time.Millisecond
		busy := problemWith(func(p *webhook.Problem) { p.RetryAfter = after })
		attempts := failing(t, url, leanmq.RetryPolicy{MinBackoff: 24 * time.Hour, MaxBackoff: 24 * time.Hour}, busy)
		send(t, open(t, url), "/orders", nil)
		first, second := receive(t, attempts), receive(t, attempts)
		if d := second.Sub(first); d < after {
			t.Errorf("retried after %v, want %v", d, after)
		}
	})
}

// What the handler says explicitly counts for more than the status it puts it with.
func TestExplicitVerdictWinsOverTheStatus(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		missing := leanmq.RetryAfter(10*time.Millisecond, webhook.NotFound("not there yet"))
		attempts := failing(t, url, leanmq.RetryPolicy{}, missing)
		send(t, open(t, url), "/orders", nil)
		receive(t, attempts)
		receive(t, attempts) // a 404 alone would be dead by now
	})
}

// A handler that says when to try again keeps its caller waiting; one that only
// tells the caller when to try again does not.
func TestRetryWhileTheCallerWaits(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		attempts := failing(t, url, leanmq.RetryPolicy{}, leanmq.RetryAfter(20*time.Millisecond, errors.New("not yet")))
		mq := open(t, url)
		in := inbox(t, mq)
		if r := request(t, mq, in, "POST /orders", nil); r.Status != 200 || string(r.Payload) != "at last" || len(attempts) != 2 {
			t.Errorf("%d %s after %d attempts", r.Status, r.Payload, len(attempts))
		}
		if d := in.Stats().Dropped; d != 0 {
			t.Errorf("%d more replies came", d)
		}
	})
}

// What is in the service's queue by mistake is no work for its handler.
func TestMessageForAnotherPathIsDeadLettered(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var called atomic.Bool
		s := webhook.NewService("orders", open(t, url))
		s.Handle("GET /orders/{id}", func(context.Context, *webhook.Request) (*webhook.Response, error) {
			called.Store(true)
			return nil, nil
		})
		run(t, s)
		mq := open(t, url)
		q := queue(t, mq, "GET", "/orders/1")
		for _, target := range []string{"", "nonsense", "POST /orders/1", "GET /orders/1/2", "GET /other/1"} {
			if _, err := q.Send(t.Context(), nil, leanmq.Target(target)); err != nil {
				t.Fatal(err)
			}
		}
		if dead := settled(t, q); len(dead) != 5 || called.Load() {
			t.Errorf("%d dead letters, want 5; handler called: %v", len(dead), called.Load())
		}
	})
}
