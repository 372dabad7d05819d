package webhook

import (
	"fmt"
	"slices"

	"github.com/leanmq/leanmq/leanmq"
)

// route is a pattern with its handler.
type route struct {
	pattern *pattern
	text    string         // of the pattern, in its normal form
	matcher tree[struct{}] // of this pattern alone
	handler Handler
	status  int // of a response that has none
	consume []leanmq.ConsumeOption
	mws     []Middleware
	group   string // of a subscription
	where   string // the call that registered it
}

// A RouteOption configures a route.
type RouteOption func(*route)

// Status sets the HTTP status of responses that do not choose one. Default: 200,
// or 204 without a body. Registering panics unless it is 200 to 999.
func Status(code int) RouteOption { return func(r *route) { r.status = code } }

// Consume sets options of the route's queue, such as leanmq.Concurrency.
func Consume(opts ...leanmq.ConsumeOption) RouteOption {
	return func(r *route) { r.consume = append(r.consume, opts...) }
}

// With adds middleware around this route's handler, inside that of the service.
func With(mws ...Middleware) RouteOption {
	return func(r *route) { r.mws = append(r.mws, mws...) }
}

// wrap sets the handler: h with the middlewares around it.
func (rt *route) wrap(h Handler, pattern string, mws []Middleware) {
	if slices.ContainsFunc(mws, func(mw Middleware) bool { return mw == nil }) {
		panic(fmt.Sprintf("webhook: %s: pattern %q has a nil middleware", rt.where, pattern))
	}
	rt.handler = chain(h, mws)
}
