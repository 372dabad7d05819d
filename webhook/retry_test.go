package webhook_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

// buried waits for a dead letter: settled may find a queue empty in the very moment
// at which a retry becomes due.
func buried(t *testing.T, q *leanmq.Queue) []*leanmq.DeadLetter {
	t.Helper()
	until(t, "a dead letter", func() bool {
		i, err := q.Info(t.Context())
		return err == nil && i.Dead > 0
	})
	return settled(t, q)
}

func TestRoutesPolicyWinsOverTheServices(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := webhook.NewService("orders", open(t, url),
			webhook.ConsumeWith(leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 2, Backoff: leanmq.FixedBackoff(0)})))
		fails := func(context.Context, *webhook.Request) (*webhook.Response, error) { return nil, errors.New("boom") }
		s.Handle("/service", fails)
		s.Handle("/route", fails, webhook.Consume(leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 4, Backoff: leanmq.FixedBackoff(0)})))
		run(t, s)
		mq := open(t, url)
		for _, tt := range []struct {
			path string
			want int
			opts []leanmq.SendOption
		}{
			{"/service", 2, nil},
			{"/route", 4, nil},
			{"/route", 3, []leanmq.SendOption{leanmq.RetryWith(leanmq.RetryPolicy{MaxAttempts: 3})}},
		} {
			send(t, mq, tt.path, nil, tt.opts...)
			q := queue(t, mq, "POST", tt.path)
			dead := buried(t, q)
			if len(dead) != 1 || dead[0].Reason != leanmq.ReasonExhausted || dead[0].Message.Attempt != tt.want {
				t.Fatalf("%s: %d dead letters: %+v, want one after %d attempts", tt.path, len(dead), dead, tt.want)
			}
			if _, err := q.PurgeAllDead(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestRoutesRulesAboutErrors(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		gone := errors.New("gone")
		s := webhook.NewService("orders", open(t, url))
		s.Handle("/orders", func(context.Context, *webhook.Request) (*webhook.Response, error) { return nil, gone },
			webhook.Consume(leanmq.RejectOn(gone)))
		run(t, s)
		mq := open(t, url)
		send(t, mq, "/orders", nil)
		if dead := settled(t, queue(t, mq, "POST", "/orders")); len(dead) != 1 || dead[0].Reason != leanmq.ReasonRejected {
			t.Errorf("%+v", dead)
		}
	})
}

// A message that waited for its service brings its policy along.
func TestParkedMessageKeepsItsPolicy(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		send(t, mq, "/orders", nil, leanmq.RetryWith(leanmq.RetryPolicy{MaxAttempts: 2, MaxBackoff: time.Millisecond}))
		s := webhook.NewService("orders", open(t, url))
		s.Handle("/orders", func(context.Context, *webhook.Request) (*webhook.Response, error) { return nil, errors.New("boom") })
		run(t, s)
		until(t, "it is there", func() bool { return parked(t, mq) == 0 })
		if dead := buried(t, queue(t, mq, "POST", "/orders")); len(dead) != 1 || dead[0].Message.Attempt != 2 {
			t.Errorf("%+v", dead)
		}
	})
}
