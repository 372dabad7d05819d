package webhook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/leanmq/leanmq/internal/mqtest"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

func TestMain(m *testing.M) { redistest.Main(m) }

var (
	open   = mqtest.Open
	run    = testkit.Serve
	until  = testkit.Eventually
	within = testkit.Within
	info   = mqtest.Info
)

func receive[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	return testkit.Receive(t, fmt.Sprintf("a %T", v), c)
}

// send sends from a process that may not know the routes yet.
func send(t *testing.T, mq *leanmq.Client, path string, v any, opts ...leanmq.SendOption) (id string) {
	t.Helper()
	id, err := webhook.NewSender(mq).Send(t.Context(), path, v, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// inbox is how a caller waits for answers.
func inbox(t *testing.T, mq *leanmq.Client) *leanmq.Inbox {
	t.Helper()
	in, err := mq.OpenInbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close() })
	return in
}

// request sends to "METHOD /path?query" and waits for the answer.
func request(t *testing.T, mq *leanmq.Client, in *leanmq.Inbox, target string, body []byte, opts ...leanmq.SendOption) *leanmq.Reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	path, _, _ := strings.Cut(target, "?")
	method, path, _ := strings.Cut(path, " ")
	route, err := webhook.Lookup(ctx, mq, method, path)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := in.Request(ctx, route.Queue, body, append(opts, leanmq.Target(target))...)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// problem is the problem details in a reply, as a client in any language would
// read them.
func problem(t *testing.T, r *leanmq.Reply) (p struct {
	Type, Title, Detail string
	Status              int
	RequestID           string `json:"request_id"`
	Fields              []webhook.FieldProblem
},
) {
	t.Helper()
	if ct := r.Header.Get("content-type"); ct != "application/problem+json" {
		t.Errorf("content type %q, want application/problem+json", ct)
	}
	if err := json.Unmarshal(r.Payload, &p); err != nil {
		t.Fatalf("%q is no problem: %v", r.Payload, err)
	}
	return p
}

// queue is the queue of the route that a request takes.
func queue(t *testing.T, mq *leanmq.Client, method, path string) *leanmq.Queue {
	t.Helper()
	route, err := webhook.Lookup(t.Context(), mq, method, path)
	if err != nil {
		t.Fatal(err)
	}
	return route.Queue
}

// settled waits until a queue holds nothing but dead letters, which it returns.
func settled(t *testing.T, q *leanmq.Queue) []*leanmq.DeadLetter {
	t.Helper()
	until(t, "the queue "+q.Name()+" is empty", func() bool {
		i := info(t, q)
		return i.Ready+i.InFlight+i.Scheduled == 0
	})
	return mqtest.DeadLetters(t, q)
}

// parked is the number of messages whose path nobody has registered.
func parked(t *testing.T, mq *leanmq.Client) int64 {
	t.Helper()
	i := info(t, mq.Queue("unrouted"))
	return i.Ready + i.Scheduled
}

// status is the status of a problem in err's chain, or 0.
func status(err error) int {
	var p *webhook.Problem
	if errors.As(err, &p) {
		return p.Status
	}
	return 0
}
