package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

func TestHandlerSeesWhatWasSent(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		got := make(chan webhook.Request, 1)
		deadline := make(chan time.Time, 1)
		orders := webhook.NewService("orders", open(t, url))
		orders.Handle("PUT /orders/{id}/items/{sku}", func(ctx context.Context, r *webhook.Request) (*webhook.Response, error) {
			end, _ := ctx.Deadline()
			deadline <- end
			got <- *r
			return nil, nil
		})
		run(t, orders)

		before := time.Now()
		id := send(t, open(t, url), "PUT /orders/4%2F2/items/a%20b?notify=1&notify=2", map[string]int{"n": 7},
			leanmq.ID("order-42"), leanmq.WithHeader("x-tenant", "acme"), leanmq.TTL(time.Hour))
		r := receive(t, got)
		for what, pair := range map[string][2]any{
			"the id that Send returned": {id, "order-42"},
			"message id":                {r.Message.ID, "order-42"},
			"method":                    {r.Method, "PUT"},
			"path":                      {r.Path, "/orders/4%2F2/items/a%20b"},
			"pattern":                   {r.Pattern, "PUT /orders/{id}/items/{sku}"},
			"id in the path":            {r.PathValue("id"), "4/2"},
			"sku in the path":           {r.PathValue("sku"), "a b"},
			"what is not in the path":   {r.PathValue("nope"), ""},
			"query":                     {r.Query, "notify=1&notify=2"},
			"query values":              {fmt.Sprint(r.QueryValues()["notify"]), "[1 2]"},
			"header":                    {r.Header("x-tenant"), "acme"},
			"header in other case":      {r.Header("X-Tenant"), "acme"},
			"no such header":            {r.Header("x-user"), ""},
			"body":                      {string(r.Body), `{"n":7}`},
			"attempt":                   {r.Message.Attempt, 1},
			"deliveries":                {r.Message.Deliveries, 1},
		} {
			if pair[0] != pair[1] {
				t.Errorf("%s: %v, want %v", what, pair[0], pair[1])
			}
		}
		const slack = time.Minute // between the clocks and for the sending
		for what, end := range map[string]time.Time{"the message's": r.Message.Deadline, "the context's": receive(t, deadline)} {
			if d := end.Sub(before); d < time.Hour-slack || d > time.Hour+slack {
				t.Errorf("%s deadline is %v away, want an hour", what, d)
			}
		}
	})
}

func TestHeaderIsFoundInAnyCase(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		got := make(chan string, 1)
		s := webhook.NewService("orders", open(t, url))
		s.Handle("/orders", func(_ context.Context, r *webhook.Request) (*webhook.Response, error) {
			got <- r.Header("x-tenant")
			return nil, nil
		})
		run(t, s)
		send(t, open(t, url), "/orders", nil, leanmq.WithHeader("X-Tenant", "acme"))
		if v := receive(t, got); v != "acme" {
			t.Errorf("x-tenant is %q: it was sent as X-Tenant", v)
		}
	})
}

func TestTypedHandlerHasTheRequestInItsContext(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		got := make(chan string, 1)
		s := webhook.NewService("orders", open(t, url))
		webhook.On(s, "/orders/{id}", func(ctx context.Context, ev struct{ N int }) error {
			got <- fmt.Sprint(webhook.FromContext(ctx).PathValue("id"), " ", ev.N)
			return nil
		})
		run(t, s)
		send(t, open(t, url), "/orders/x", struct{ N int }{3})
		if v := receive(t, got); v != "x 3" {
			t.Errorf("the handler got %q", v)
		}
	})
	if webhook.FromContext(context.Background()) != nil {
		t.Error("a request out of nowhere")
	}
}

func TestRetryKeepsTheMessageAndCountsTheAttempt(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		got := make(chan string, 3)
		s := webhook.NewService("orders", open(t, url),
			webhook.ConsumeWith(leanmq.Retry(leanmq.RetryPolicy{MinBackoff: time.Millisecond})))
		s.Handle("/orders/{id}", func(_ context.Context, r *webhook.Request) (*webhook.Response, error) {
			m := r.Message
			got <- fmt.Sprintf("%d %s %s %s %s %s", m.Attempt, m.ID, r.PathValue("id"), r.Query, r.Body, m.LastError)
			if m.Attempt < 3 {
				return nil, fmt.Errorf("failure %d", m.Attempt)
			}
			return nil, nil
		})
		run(t, s)
		mq := open(t, url)
		send(t, mq, "/orders/7?x=1", json.RawMessage(`"body"`), leanmq.ID("m"))
		for _, want := range []string{`1 m 7 x=1 "body" `, `2 m 7 x=1 "body" failure 1`, `3 m 7 x=1 "body" failure 2`} {
			if v := receive(t, got); v != want {
				t.Errorf("the handler got %q, want %q", v, want)
			}
		}
		if dead := settled(t, queue(t, mq, "POST", "/orders/7")); len(dead) != 0 {
			t.Errorf("%d dead letters", len(dead))
		}
	})
}

// The deadline of a message is that of its handler, and what it returns after
// that is nobody's business any more.
func TestHandlerIsCancelledWhenTheMessageExpires(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		cause := make(chan error, 1)
		s := webhook.NewService("orders", open(t, url))
		s.Handle("/slow", func(ctx context.Context, _ *webhook.Request) (*webhook.Response, error) {
			<-ctx.Done()
			cause <- context.Cause(ctx)
			return nil, ctx.Err()
		})
		run(t, s)
		mq := open(t, url)
		send(t, mq, "/slow", nil, leanmq.TTL(500*time.Millisecond))
		if err := receive(t, cause); !errors.Is(err, leanmq.ErrExpired) {
			t.Errorf("the context ended with %v", err)
		}
		if dead := settled(t, queue(t, mq, "POST", "/slow")); len(dead) != 0 {
			t.Errorf("%d dead letters", len(dead))
		}
	})
}

// Two instances with room for one message each must both be at work before
// either gets on.
func TestInstancesOfAServiceShareItsMessages(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const messages = 40
		var mu sync.Mutex
		seen := map[string]int{}
		var both sync.WaitGroup
		both.Add(2)
		for range 2 {
			var first sync.Once
			s := webhook.NewService("orders", open(t, url), webhook.ConsumeWith(leanmq.Concurrency(1)))
			s.Handle("/orders/{n}", func(_ context.Context, r *webhook.Request) (*webhook.Response, error) {
				first.Do(func() {
					both.Done()
					both.Wait()
				})
				mu.Lock()
				defer mu.Unlock()
				seen[r.PathValue("n")]++
				return nil, nil
			})
			run(t, s)
		}
		mq := open(t, url)
		for n := range messages {
			send(t, mq, fmt.Sprintf("/orders/%d", n), nil)
		}
		settled(t, queue(t, mq, "POST", "/orders/1"))
		mu.Lock()
		defer mu.Unlock()
		for n, times := range seen {
			if times != 1 {
				t.Errorf("message %s was handled %d times", n, times)
			}
		}
		if len(seen) != messages {
			t.Errorf("%d of %d messages were handled", len(seen), messages)
		}
	})
}

func TestRenamingAWildcardKeepsTheMessages(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		stop := run(t, answering(webhook.NewService("orders", open(t, url)), "/orders/{id}"))
		stop()
		mq := open(t, url)
		for _, n := range []string{"1", "2", "3"} {
			send(t, mq, "/orders/"+n, nil)
		}
		if n := parked(t, mq); n != 0 {
			t.Fatalf("%d messages are parked: a service that is down still owns its path", n)
		}

		got := make(chan string, 3)
		s := webhook.NewService("orders", open(t, url), webhook.ConsumeWith(leanmq.Concurrency(1)))
		s.Handle("/orders/{order}", func(_ context.Context, r *webhook.Request) (*webhook.Response, error) {
			got <- r.PathValue("order")
			return nil, nil
		})
		run(t, s)
		for _, want := range []string{"1", "2", "3"} {
			if n := receive(t, got); n != want {
				t.Errorf("order %q, want %q", n, want)
			}
		}
		if routes := patterns(t, mq); !slices.Equal(routes, []string{"orders /orders/{order}"}) {
			t.Errorf("the route table has %q", routes)
		}
	})
}
