package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

// Request sends v to the service that has registered the path and returns its
// answer. The path may have a method and a query: "GET /orders/42"; without a
// method it is POST. v is encoded as in [webhook.Sender.Send]. Resp []byte and
// json.RawMessage are the answer as it is; struct{} ignores it.
//
// The deadline of ctx, or the gateway's timeout if that is earlier, bounds the
// wait and travels with the request.
//
// Errors are [*webhook.Problem]s: what the handler answered with a status of 400
// or above, or what kept the request from being answered, with the same statuses
// as over HTTP. The cause is in the chain: errors.Is(err, leanmq.ErrNoReply). Only
// mistakes that are this program's own are none: a path that is malformed
// (leanmq.ErrInvalid), a v that cannot be encoded, and an answer that is no Resp.
func Request[Resp any](ctx context.Context, g *Gateway, path string, v any) (Resp, error) {
	var out Resp
	answer, err := g.request(ctx, path, v)
	if err == nil {
		if err = decode(answer, &out); err == nil {
			return out, nil
		}
		err = fmt.Errorf("the answer is no %T: %w", out, err)
	}
	return out, fmt.Errorf("gateway: request %q: %w", path, err)
}

func (g *Gateway) request(ctx context.Context, path string, v any) (answer []byte, err error) {
	body, err := webhook.EncodeBody(v)
	if err != nil {
		return nil, err
	}
	c := call{body: body}
	if err := c.setTarget(path); err != nil {
		return nil, err
	}
	reply, err := g.do(ctx, &c)
	if err != nil {
		return nil, err
	}
	if reply.Status >= http.StatusBadRequest {
		return nil, webhook.ParseProblem(reply.Status, reply.Payload)
	}
	return reply.Payload, nil
}

func (c *call) setTarget(path string) error {
	c.target = path
	if strings.HasPrefix(path, "/") {
		c.target = http.MethodPost + " " + c.target
	}
	method, rest, ok := strings.Cut(c.target, " ")
	if !ok || !strings.HasPrefix(rest, "/") {
		return &leanmq.InvalidError{Field: "path", Rule: "is malformed: want [METHOD ]/path[?query]"}
	}
	path, query, _ := strings.Cut(rest, "?")
	if query == "" {
		c.target = strings.TrimSuffix(c.target, "?")
	}
	c.method, c.path = method, path
	return nil
}

func decode(payload []byte, out any) error {
	switch out := out.(type) {
	case *[]byte:
		*out = payload
		return nil
	case *json.RawMessage:
		*out = payload
		return nil
	case *struct{}:
		return nil
	}
	if len(payload) == 0 {
		return nil
	}
	return json.Unmarshal(payload, out)
}
