package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

// Gateway sends requests and waits for their replies. It is safe for concurrent
// use. Any number of gateways may serve the same services.
type Gateway struct {
	mq      *leanmq.Client
	timeout time.Duration
	maxBody int64
	forward map[string]string // canonical header name to the one that travels
	err     error             // of an option

	mu     sync.Mutex
	inbox  *leanmq.Inbox // opened by the first request
	closed bool
}

// An Option configures a gateway.
type Option func(*Gateway)

// Timeout bounds the wait for a reply when the caller sets no earlier deadline.
// Default 10 s; 1 ms to 1 h.
func Timeout(d time.Duration) Option {
	return func(g *Gateway) {
		if d < time.Millisecond || d > time.Hour {
			g.err = &leanmq.InvalidError{Field: "Timeout", Rule: fmt.Sprintf("is %v: want 1ms to 1h", d)}
		}
		g.timeout = d
	}
}

// MaxBody bounds the body of an HTTP request in bytes. Default 1 MiB; at most
// leanmq.MaxPayload.
func MaxBody(n int64) Option {
	return func(g *Gateway) {
		if n < 1 || n > leanmq.MaxPayload {
			g.err = &leanmq.InvalidError{Field: "MaxBody", Rule: fmt.Sprintf("is %d: want 1 to %d", n, leanmq.MaxPayload)}
		}
		g.maxBody = n
	}
}

// ForwardHeaders adds to the headers of an HTTP request that travel to the
// handler. Default: Accept, Accept-Language, Content-Type, Traceparent,
// Tracestate and X-Request-Id. What carries credentials travels only if named
// here.
func ForwardHeaders(names ...string) Option {
	return func(g *Gateway) {
		for _, n := range names {
			g.forward[http.CanonicalHeaderKey(n)] = strings.ToLower(n)
		}
	}
}

// New returns a gateway. It uses Redis from its first request on. An option out
// of bounds makes every request fail with leanmq.ErrInvalid.
func New(mq *leanmq.Client, opts ...Option) *Gateway {
	g := &Gateway{mq: mq, timeout: 10 * time.Second, maxBody: 1 << 20, forward: map[string]string{}}
	ForwardHeaders("Accept", "Accept-Language", "Content-Type", "Traceparent", "Tracestate", "X-Request-Id")(g)
	for _, o := range opts {
		o(g)
	}
	return g
}

// Close ends the gateway. Requests that wait fail. Closing twice is fine.
func (g *Gateway) Close() error {
	g.mu.Lock()
	g.closed = true
	inbox := g.inbox
	g.inbox = nil
	g.mu.Unlock()
	if inbox == nil {
		return nil
	}
	return inbox.Close()
}

// Stats returns the counts of the gateway's inbox.
func (g *Gateway) Stats() leanmq.InboxStats {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inbox == nil {
		return leanmq.InboxStats{}
	}
	return g.inbox.Stats()
}

func (g *Gateway) open(ctx context.Context) (*leanmq.Inbox, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.err != nil:
		return nil, &leanmq.Error{Op: "gateway", Err: g.err}
	case g.closed:
		return nil, &leanmq.Error{Op: "gateway", Err: leanmq.ErrClosed}
	case g.inbox != nil:
		return g.inbox, nil
	}
	inbox, err := g.mq.OpenInbox(ctx)
	if err != nil {
		return nil, err
	}
	g.inbox = inbox
	return inbox, nil
}

// call is one request on its way, whoever makes it.
type call struct {
	method, path, query string
	header              leanmq.Header
	body                []byte
}

// do sends the request and waits for the reply. Errors are problems.
func (g *Gateway) do(ctx context.Context, c *call) (*leanmq.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	reply, err := g.exchange(ctx, c)
	if err != nil {
		return nil, problem(err)
	}
	return reply, nil
}

func (g *Gateway) exchange(ctx context.Context, c *call) (*leanmq.Reply, error) {
	inbox, err := g.open(ctx)
	if err != nil {
		return nil, err
	}
	route, err := webhook.Lookup(ctx, g.mq, c.method, c.path)
	if err != nil {
		return nil, err
	}
	target := c.method + " " + c.path
	if c.query != "" {
		target += "?" + c.query
	}
	return inbox.Request(ctx, route.Queue, c.body, leanmq.Target(target), leanmq.Headers(c.header))
}

// retryAfter is what callers are told when the gateway cannot serve now.
const retryAfter = time.Second

// problem is the one place that turns errors into statuses.
func problem(err error) *webhook.Problem {
	var p *webhook.Problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, leanmq.ErrNoReply):
		p = webhook.NewProblem(http.StatusGatewayTimeout, "the service did not reply in time")
	case errors.Is(err, leanmq.ErrQueueFull):
		p = webhook.NewProblem(http.StatusServiceUnavailable, "the service has too much to do")
		p.RetryAfter = retryAfter
	case errors.Is(err, context.Canceled):
		p = webhook.NewProblem(statusClientClosed, "the caller went away")
		p.Title = "Client Closed Request"
	case errors.Is(err, leanmq.ErrUnavailable), errors.Is(err, leanmq.ErrUnknown), errors.Is(err, leanmq.ErrClosed),
		errors.Is(err, context.DeadlineExceeded):
		p = webhook.NewProblem(http.StatusServiceUnavailable, "the message store is not reachable")
		p.RetryAfter = retryAfter
	case errors.Is(err, leanmq.ErrInvalid):
		p = webhook.NewProblem(http.StatusBadRequest, "the request cannot be sent")
	default:
		p = webhook.NewProblem(http.StatusInternalServerError, "the gateway failed to handle the request")
	}
	return p.WithCause(err)
}

// statusClientClosed is nginx' status for a caller that went away: for logs, it
// reaches nobody.
const statusClientClosed = 499
