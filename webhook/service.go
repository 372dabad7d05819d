package webhook

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/leanmq/leanmq/leanmq"
)

// Service owns routes: the unit that is deployed, and whose queues share a hash
// tag. Register its handlers, then call Run; any number of processes may run the
// same service. Registering is not safe for concurrent use.
type Service struct {
	name    string
	mq      *leanmq.Client
	consume []leanmq.ConsumeOption
	bind    *binding
	routes  []*route
	feeds   []*feed
	tree    tree[*route]
	mws     []Middleware
	ready   chan struct{}
	running bool
}

// A ServiceOption configures a service.
type ServiceOption func(*Service)

// ConsumeWith sets options of all the service's queues. A route's own win.
func ConsumeWith(opts ...leanmq.ConsumeOption) ServiceOption {
	return func(s *Service) { s.consume = append(s.consume, opts...) }
}

// Use adds middleware around all handlers of the service. Where one of its middlewares is
// nil, registering panics and names the place; so it does for [With] and [Service.Group].
func Use(mws ...Middleware) ServiceOption {
	return func(s *Service) { s.mws = append(s.mws, mws...) }
}

// NewService returns a service without routes. The name has 1 to 64 bytes,
// without control characters, spaces, braces and colons; a bad one is an error
// of Run.
func NewService(name string, mq *leanmq.Client, opts ...ServiceOption) *Service {
	s := &Service{name: name, mq: mq, bind: newBinding(), ready: make(chan struct{})}
	for _, o := range opts {
		o(s)
	}
	return s
}

func checkServiceName(name string) error {
	bad := func(r rune) bool {
		return r == utf8.RuneError || unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("{}:", r)
	}
	if name == "" || len(name) > 64 || strings.ContainsFunc(name, bad) {
		return fmt.Errorf("webhook: %w", &leanmq.InvalidError{Field: "service name", Rule: fmt.Sprintf(
			"is %.80q: want 1 to 64 bytes without spaces, control characters, braces and colons", name)})
	}
	return nil
}

// Ready is closed when Run has registered the routes, so that senders find them.
func (s *Service) Ready() <-chan struct{} { return s.ready }

// Router is what handlers are registered on: a [Service] or a [Group] of it.
type Router interface {
	// Handle registers h for a pattern. It panics when the pattern is malformed
	// or conflicts with another one.
	Handle(pattern string, h Handler, opts ...RouteOption)
	subscribe(pattern string, h Handler, opts []RouteOption)
	binder() *binding
}

// Handle implements [Router].
func (s *Service) Handle(pattern string, h Handler, opts ...RouteOption) {
	s.register(pattern, nil, h, opts)
}

func (s *Service) binder() *binding { return s.bind }

func (s *Service) register(pattern string, mws []Middleware, h Handler, opts []RouteOption) {
	where := caller()
	if s.running {
		panic(fmt.Sprintf("webhook: %s: pattern %q is registered after Run", where, pattern))
	}
	if h == nil {
		panic(fmt.Sprintf("webhook: %s: pattern %q has a nil handler", where, pattern))
	}
	p, err := parsePattern(pattern)
	if err != nil {
		panic(fmt.Sprintf("webhook: %s: %v", where, err))
	}
	rt := &route{pattern: p, text: p.String(), where: where}
	for _, o := range opts {
		o(rt)
	}
	if rt.group != "" {
		panic(fmt.Sprintf("webhook: %s: pattern %q has InGroup, which is for Subscribe", where, pattern))
	}
	if rt.status != 0 && (rt.status < 200 || rt.status > 999) {
		panic(fmt.Sprintf("webhook: %s: pattern %q has Status %d: want 200 to 999", where, pattern, rt.status))
	}
	rt.wrap(h, pattern, slices.Concat(s.mws, mws, rt.mws))
	for _, old := range s.routes {
		if why := conflict(old.pattern, p); why != "" {
			panic(fmt.Sprintf("webhook: pattern %q (registered at %s) conflicts with pattern %q (registered at %s): %s",
				p, where, old.pattern, old.where, why))
		}
	}
	if err := rt.matcher.add(p, struct{}{}); err != nil {
		panic(err) // the first one has nothing to conflict with
	}
	if err := s.tree.add(p, rt); err != nil {
		panic(fmt.Sprintf("webhook: %s: %v", where, err))
	}
	s.routes = append(s.routes, rt)
}

// caller is the place outside this package that registers a handler.
func caller() string {
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		if !more || !strings.HasPrefix(f.Function, "github.com/leanmq/leanmq/webhook.") {
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
	}
}

// queueOf is the full name of the queue behind a service's pattern.
func queueOf(service string, p *pattern) string { return service + ":" + p.queueName() }
