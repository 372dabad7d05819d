package webhook

import (
	"slices"
	"strings"
)

// Group registers handlers of a service under a common prefix and middleware.
type Group struct {
	s      *Service
	prefix string
	mws    []Middleware
}

// Group returns a router whose patterns get prefix, such as "/orders", in front
// of their paths, and mws around their handlers.
func (s *Service) Group(prefix string, mws ...Middleware) *Group {
	return &Group{s: s, prefix: strings.TrimSuffix(prefix, "/"), mws: mws}
}

// Group returns a group within the group.
func (g *Group) Group(prefix string, mws ...Middleware) *Group {
	return &Group{
		s:      g.s,
		prefix: g.prefix + strings.TrimSuffix(prefix, "/"),
		mws:    slices.Concat(g.mws, mws),
	}
}

// Handle implements [Router].
func (g *Group) Handle(pattern string, h Handler, opts ...RouteOption) {
	if at := strings.IndexByte(pattern, '/'); at >= 0 {
		pattern = pattern[:at] + g.prefix + pattern[at:]
	}
	g.s.register(pattern, g.mws, h, opts)
}

func (g *Group) binder() *binding { return g.s.bind }
