package gateway

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

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
	case errors.Is(err, leanmq.ErrClosed):
		p = webhook.NewProblem(http.StatusServiceUnavailable, "the gateway is closed")
		p.RetryAfter = retryAfter // another one may serve by then
	case errors.Is(err, leanmq.ErrUnavailable), errors.Is(err, leanmq.ErrUnknown), errors.Is(err, context.DeadlineExceeded):
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
