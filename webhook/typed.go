package webhook

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/leanmq/leanmq/leanmq"
)

// Handle registers a handler that takes a Req and answers with a Resp.
//
// Req is decoded from the JSON body; fields with a path, query or header tag get
// the value of that name instead, and never the body's unless they have a json tag
// as well. A [Request] is at hand through [FromContext]. Req []byte and json.RawMessage
// are the body as it is.
//
// Resp is encoded as JSON, but for []byte, json.RawMessage and *[Response], which
// are sent as they are. It panics when the pattern is malformed or conflicts with
// another one.
func Handle[Req, Resp any](r Router, pattern string, h func(ctx context.Context, in Req) (Resp, error), opts ...RouteOption) {
	if h == nil {
		r.Handle(pattern, nil, opts...) // panics, and says where
	}
	bind := bindTo[Req](r.binder())
	r.Handle(pattern, func(ctx context.Context, req *Request) (*Response, error) {
		in, err := bind(req)
		if err != nil {
			return nil, err
		}
		out, err := h(context.WithValue(ctx, requestKey{}, req), in)
		if err != nil {
			return nil, err
		}
		return encode(out)
	}, opts...)
}

// On registers a handler for events: messages that nobody waits for an answer
// to. It is [Handle] without a response.
func On[Event any](r Router, pattern string, h func(ctx context.Context, ev Event) error, opts ...RouteOption) {
	if h == nil {
		r.Handle(pattern, nil, opts...)
	}
	Handle(r, pattern, func(ctx context.Context, ev Event) (*Response, error) {
		return nil, h(ctx, ev)
	}, opts...)
}

// encode turns a handler's result into a response.
func encode(v any) (*Response, error) {
	switch v := v.(type) {
	case *Response:
		return v, nil
	case []byte:
		return &Response{Body: v, Header: leanmq.Header{"content-type": "application/octet-stream"}}, nil
	case json.RawMessage:
		return &Response{Body: v}, nil
	case struct{}:
		return nil, nil
	}
	body, err := json.Marshal(v)
	if err != nil {
		return nil, NewProblem(http.StatusInternalServerError, "the response cannot be encoded").WithCause(err)
	}
	return &Response{Body: body}, nil
}
