package webhook

import (
	"context"
	"fmt"
	"slices"
)

// Subscribe registers a handler for the events of a pattern, such as "/events/order.*": the
// last segment is a pattern of types, whose "*" is any one word and whose "#" is any number
// of them, none included; what comes before it names the topic (see [Sender.Publish]).
//
// A service is one group of the topic: each event reaches one of its processes, and every
// other service that subscribes to it as well. [InGroup] makes another group. Of several
// patterns of a group the most specific one that matches handles an event, and two of which
// neither is more specific are a conflict. It panics then, naming both places, and when the
// pattern is malformed.
//
// Event is decoded as [On] does it, but unknown fields are ignored: who publishes may add
// some. The [Request] that [FromContext] returns has the event's path and no method.
// Errors, retries and dead letters are those of a queue, which is called
// "topic:topic:service" (see leanmq.Group.Queue).
//
// The options are those of [On], but that a group has one consumer: at most one of its
// subscriptions may have [Consume]. The group's types are those of all its subscriptions,
// and what is published otherwise is passed over. A new group begins with the first event
// that is retained, unless Consume has leanmq.StartAt.
//
// While two versions of a service run side by side, one may get an event that only the
// other one handles: it fails, and is retried.
func Subscribe[Event any](r Router, pattern string, h func(ctx context.Context, ev Event) error, opts ...RouteOption) {
	if h == nil {
		r.subscribe(pattern, nil, opts) // panics, and says where
	}
	bind := bindTo[Event](r.binder())
	r.subscribe(pattern, func(ctx context.Context, req *Request) (*Response, error) {
		ev, err := bind(req)
		if err != nil {
			return nil, err
		}
		return nil, h(context.WithValue(ctx, requestKey{}, req), ev)
	}, opts)
}

// InGroup makes a subscription one of another group than the service's own, with a place in
// the topic and retries of its own: 1 to 200 bytes by the rules for names of queues. Other
// services that name it share its events. It is for [Subscribe] only.
func InGroup(name string) RouteOption { return func(r *route) { r.group = name } }

func (s *Service) subscribe(pattern string, h Handler, opts []RouteOption) {
	s.subscribeTo(pattern, nil, h, opts)
}

func (g *Group) subscribe(pattern string, h Handler, opts []RouteOption) {
	if pattern != "" && pattern[0] == '/' {
		pattern = g.prefix + pattern
	}
	g.s.subscribeTo(pattern, g.mws, h, opts)
}

func (s *Service) subscribeTo(pattern string, mws []Middleware, h Handler, opts []RouteOption) {
	where := caller()
	if s.running {
		panic(fmt.Sprintf("webhook: %s: pattern %q is subscribed to after Run", where, pattern))
	}
	if h == nil {
		panic(fmt.Sprintf("webhook: %s: pattern %q has a nil handler", where, pattern))
	}
	p, err := parseEventPath(pattern, true)
	if err != nil {
		panic(fmt.Sprintf("webhook: %s: %v", where, err))
	}
	rt := &route{where: where, group: s.name}
	for _, o := range opts {
		o(rt)
	}
	rt.wrap(h, pattern, slices.Concat(s.mws, mws, rt.mws))
	s.feedOf(p, rt.group).add(&subscription{path: p, route: rt})
}

// feedOf returns the feed of a topic's group.
func (s *Service) feedOf(p eventPath, group string) *feed {
	for _, f := range s.feeds {
		if f.topic == p.topicName() && f.group == group {
			return f
		}
	}
	f := &feed{topic: p.topicName(), group: group}
	s.feeds = append(s.feeds, f)
	return f
}
