package webhook_test

import (
	"context"
	"strings"
	"testing"

	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

func TestConflictingSubscriptionNamesBothPlaces(t *testing.T) {
	h := func(context.Context, purchase) error { return nil }
	var none func(context.Context, purchase) error
	options := webhook.Consume(leanmq.Concurrency(1))
	var first, second string
	for name, tt := range map[string]struct {
		register func(s *webhook.Service)
		want     []string // besides the places; none: no panic
	}{
		"the same": {func(s *webhook.Service) {
			first = place(1)
			webhook.Subscribe(s, "/events/order.*", h)
			second = place(1)
			webhook.Subscribe(s.Group("/events"), "/order.*", h)
		}, []string{`"/events/order.*"`, "same events", "/events/order.x"}},
		"overlapping": {func(s *webhook.Service) {
			first = place(1)
			webhook.Subscribe(s, "/events/order.*", h)
			second = place(1)
			webhook.Subscribe(s, "/events/*.paid", h)
		}, []string{"/events/order.paid", "/events/x.paid", "/events/order.x", "neither is more specific"}},
		"two with options": {func(s *webhook.Service) {
			first = place(1)
			webhook.Subscribe(s, "/events/order.paid", h, options)
			second = place(1)
			webhook.Subscribe(s, "/events/order.new", h, options)
		}, []string{"Consume", "InGroup"}},
		"other group, other topic": {func(s *webhook.Service) {
			webhook.Subscribe(s, "/events/order.*", h, options)
			webhook.Subscribe(s, "/events/order.*", h, options, webhook.InGroup("audit"))
			webhook.Subscribe(s, "/shop/order.*", h, options)
			webhook.Subscribe(s, "/events/order.paid", h)
			webhook.Subscribe(s, "/events/#", h)
		}, nil},
		"malformed": {func(s *webhook.Service) {
			first = place(1)
			webhook.Subscribe(s, "/events", h)
		}, []string{"one segment"}},
		"nil": {func(s *webhook.Service) {
			first = place(1)
			webhook.Subscribe(s, "/events/x", none)
		}, []string{"nil handler"}},
		"nil middleware": {func(s *webhook.Service) {
			first = place(1)
			webhook.Subscribe(s, "/events/x", h, webhook.With(nil))
		}, []string{"nil middleware"}},
		"group of a route": {func(s *webhook.Service) {
			first = place(1)
			webhook.On(s, "/events/x", h, webhook.InGroup("audit"))
		}, []string{"InGroup", "Subscribe"}},
	} {
		first, second = "", ""
		text := panicOf(func() { tt.register(newService(t)) })
		if tt.want == nil && text != "" || tt.want != nil && text == "" {
			t.Errorf("%s: %q", name, text)
		}
		for _, part := range tt.want {
			if !strings.Contains(text, part) {
				t.Errorf("%s: the panic does not tell %s:\n%s", name, part, text)
			}
		}
		if tt.want != nil && (!strings.Contains(text, first) || !strings.Contains(text, second)) {
			t.Errorf("%s: the panic does not tell both places %s and %s:\n%s", name, first, second, text)
		}
	}
}
