package webhook

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/leanmq/leanmq/internal/store"
	"github.com/leanmq/leanmq/leanmq"
)

// feed is what one group of a topic has subscribed to: one consumer.
type feed struct {
	topic, group string
	subs         []*subscription // the more specific of two that match the same comes first
}

// subscription is a pattern with its handler.
type subscription struct {
	path  eventPath
	route *route
}

func (f *feed) add(sub *subscription) {
	at := len(f.subs)
	for i, old := range f.subs {
		ex := relateTypes(sub.path.words, old.path.words)
		if why := ex.conflict(sub.path, old.path); why != "" {
			panic(fmt.Sprintf("webhook: pattern %q (subscribed to at %s) conflicts with pattern %q (subscribed to at %s): %s",
				sub.path, sub.route.where, old.path, old.route.where, why))
		}
		if len(sub.route.consume) > 0 && len(old.route.consume) > 0 {
			panic(fmt.Sprintf("webhook: pattern %q (subscribed to at %s) has Consume, and so has %q (subscribed to at %s): "+
				"group %q has one consumer; write Consume at one of them, or give one a group of its own with InGroup",
				sub.path, sub.route.where, old.path, old.route.where, f.group))
		}
		if ex.both != nil && ex.within() {
			at = min(at, i)
		}
	}
	f.subs = slices.Insert(f.subs, at, sub)
}

// match returns the most specific subscription to events of a type.
func (f *feed) match(typ string) *subscription {
	var words []string
	if typ != "" {
		words = strings.Split(typ, ".")
	}
	for _, sub := range f.subs {
		if store.TypeMatches(sub.path.words, words) {
			return sub
		}
	}
	return nil
}

// consume hands out the group's events until ctx ends.
func (f *feed) consume(ctx context.Context, s *Service) error {
	return f.of(s.mq).Consume(ctx, f.serve, f.options(s)...)
}

func (f *feed) of(mq *leanmq.Client) *leanmq.Group { return topicOf(mq, f.topic).Group(f.group) }

func (f *feed) options(s *Service) []leanmq.ConsumeOption {
	opts := slices.Clone(s.consume)
	var types []string
	for _, sub := range f.subs {
		opts = append(opts, sub.route.consume...)
		types = append(types, sub.path.typeName())
	}
	return append(opts, leanmq.Types(types...))
}

// serve handles an event.
func (f *feed) serve(ctx context.Context, m *leanmq.Message) error {
	sub := f.match(m.Type)
	if sub == nil { // of a type that another version of the service has subscribed to
		return fmt.Errorf("webhook: no handler of this process is for events %q of the topic %q", m.Type, f.topic)
	}
	return sub.route.run(ctx, m, &Request{
		Message: m, Path: sub.path.withType(m.Type), Pattern: sub.path.String(), Body: m.Payload, lenient: true,
	})
}
