package webhook

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/leanmq/leanmq/leanmq"
)

// Request is a message as a handler on a path sees it.
type Request struct {
	// Message has the rest: ID, Attempt, Deliveries, SentAt, Deadline.
	Message *leanmq.Message
	Method  string // POST unless the sender chose another one; "" of an event
	Path    string // as sent, still percent-encoded
	Query   string // as sent, without "?"
	Pattern string // that matched
	Body    []byte

	values  params
	lenient bool // unknown fields in the body are ignored
}

// PathValue returns what the pattern's wildcard matched, decoded, or "".
func (r *Request) PathValue(name string) string { return r.values.get(name) }

// Header returns a header by its name, whose case does not matter, or "".
func (r *Request) Header(name string) string {
	if v, ok := r.Message.Header[strings.ToLower(name)]; ok {
		return v // as gateways send them
	}
	for n, v := range r.Message.Header {
		if strings.EqualFold(n, name) {
			return v
		}
	}
	return ""
}

// QueryValues parses the query; malformed parts are left out.
func (r *Request) QueryValues() url.Values {
	v, _ := url.ParseQuery(r.Query)
	return v
}

// Response is what a plain handler answers. Names of headers are lower-case.
type Response struct {
	Status int // 0 means the route's
	Header leanmq.Header
	Body   []byte
}

// Handler handles a request. The response reaches a caller if there is one;
// nil is an empty one. For errors see the package's documentation.
type Handler func(ctx context.Context, r *Request) (*Response, error)

// Middleware wraps a handler. Of several, the first one listed is outermost.
type Middleware func(Handler) Handler

func chain(h Handler, mws []Middleware) Handler {
	for _, mw := range slices.Backward(mws) {
		h = mw(h)
	}
	return h
}

type requestKey struct{}

// FromContext returns the request that a typed handler is called for.
func FromContext(ctx context.Context) *Request {
	r, _ := ctx.Value(requestKey{}).(*Request)
	return r
}

// target is how method and path travel with a message: "POST /orders/1?x=2".
func target(method, path, query string) string {
	t := method + " " + path
	if query != "" {
		t += "?" + query
	}
	return t
}

func splitTarget(t string) (method, path, query string) {
	method, rest, _ := strings.Cut(t, " ")
	path, query, _ = strings.Cut(rest, "?")
	return method, path, query
}

// splitRoute splits "[METHOD ]/path[?query]"; without a method it is POST, as
// webhooks are.
func splitRoute(route string) (method, path, query string) {
	if strings.HasPrefix(route, "/") {
		route = "POST " + route
	}
	return splitTarget(route)
}

// newRequest reads a message for the route it was sent to.
func newRequest(m *leanmq.Message, rt *route) (*Request, error) {
	method, path, query := splitTarget(m.Target)
	r := &Request{Message: m, Method: method, Path: path, Query: query, Pattern: rt.text, Body: m.Payload}
	_, values, ok := rt.matcher.match(method, path)
	if !ok {
		return nil, NewProblem(400, "the message's target %.200q is none of the route %s", m.Target, rt.text)
	}
	r.values = values
	return r, nil
}
