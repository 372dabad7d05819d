package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/leanmq/leanmq/internal/lazyctx"
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

	opening chan struct{} // holds one while the first request opens the inbox

	mu     sync.Mutex
	inbox  *leanmq.Inbox
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
	g := &Gateway{mq: mq, timeout: 10 * time.Second, maxBody: 1 << 20, forward: map[string]string{}, opening: make(chan struct{}, 1)}
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
	g.opening <- struct{}{} // who is opening one now closes it again
	<-g.opening
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

// open returns the inbox. Only the first request waits for it.
func (g *Gateway) open(ctx context.Context) (*leanmq.Inbox, error) {
	inbox, err := g.opened(nil)
	if inbox != nil || err != nil {
		return inbox, err
	}
	select {
	case g.opening <- struct{}{}:
		defer func() { <-g.opening }()
	case <-ctx.Done(): // whoever opens it may have more time than we
		return nil, &leanmq.Error{Op: "gateway", Err: fmt.Errorf("%w: %w", leanmq.ErrUnavailable, context.Cause(ctx))}
	}
	if inbox, err = g.opened(nil); inbox != nil || err != nil {
		return inbox, err
	}
	if inbox, err = g.mq.OpenInbox(ctx); err != nil {
		return nil, err
	}
	if _, err := g.opened(inbox); err != nil {
		return nil, errors.Join(err, inbox.Close())
	}
	return inbox, nil
}

// opened returns the inbox if there is one. It is the one that was just opened,
// unless that is nil.
func (g *Gateway) opened(just *leanmq.Inbox) (*leanmq.Inbox, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.err != nil:
		return nil, webhook.NewProblem(http.StatusInternalServerError, "the gateway is misconfigured").
			WithCause(&leanmq.Error{Op: "gateway", Err: g.err})
	case g.closed:
		return nil, &leanmq.Error{Op: "gateway", Err: leanmq.ErrClosed}
	case just != nil:
		g.inbox = just
	}
	return g.inbox, nil
}

// call is one request on its way, whoever makes it.
type call struct {
	target       string // "METHOD /path[?query]"
	method, path string
	header       leanmq.Header
	body         []byte
}

// do sends the request and waits for the reply. Errors are problems.
func (g *Gateway) do(ctx context.Context, c *call) (*leanmq.Reply, error) {
	if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > g.timeout {
		bound := lazyctx.WithTimeout(ctx, g.timeout)
		defer bound.End(nil)
		ctx = bound
	}
	reply, err := g.exchange(ctx, c)
	if err != nil {
		return nil, problem(ended(ctx, err))
	}
	return reply, nil
}

// ended says what an error means that is the cause of the context's end: that of a
// handler's, which calls another service, is one of package leanmq.
func ended(ctx context.Context, err error) error {
	cause, end := context.Cause(ctx), ctx.Err()
	if end == nil || errors.Is(cause, end) || !errors.Is(err, cause) || errors.Is(err, leanmq.ErrUnknown) {
		return err
	}
	if errors.Is(end, context.DeadlineExceeded) {
		end = fmt.Errorf("%w: %w", leanmq.ErrNoReply, end)
	}
	return fmt.Errorf("%w: %w", end, err)
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
	if len(c.header) == 0 {
		return inbox.Request(ctx, route.Queue, c.body, leanmq.Target(c.target))
	}
	return inbox.Request(ctx, route.Queue, c.body, leanmq.Target(c.target), leanmq.Headers(c.header))
}
