package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/eventstore"
	"github.com/leanmq/leanmq/webhook"
)

type purchase struct {
	ID string `json:"id" validate:"required"`
}

// heard notes events that handlers get.
type heard struct {
	mu  sync.Mutex
	all []string
}

// by is a handler that notes what it gets, under a name.
func (h *heard) by(name string) func(context.Context, purchase) error {
	return func(ctx context.Context, o purchase) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.all = append(h.all, name+" "+webhook.FromContext(ctx).Path+" "+o.ID)
		return nil
	}
}

func (h *heard) list() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(slices.Values(h.all))
}

func (h *heard) wait(t *testing.T, want ...string) {
	t.Helper()
	slices.Sort(want)
	until(t, fmt.Sprintf("%q is heard", want), func() bool { return len(h.list()) >= len(want) })
	if got := h.list(); !slices.Equal(got, want) {
		t.Errorf("heard %q, want %q", got, want)
	}
}

func publish(t *testing.T, mq *leanmq.Client, path string, v any, opts ...leanmq.SendOption) string {
	t.Helper()
	id, err := webhook.NewSender(mq).Publish(t.Context(), path, v, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestEveryServiceGetsWhatItSubscribedTo(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		publish(t, mq, "/events/order.created", purchase{"0"}) // before anybody is there
		var h heard
		for range 2 { // processes of one service
			billing := webhook.NewService("billing", open(t, url))
			webhook.Subscribe(billing, "/events/order.*", h.by("billing"))
			webhook.Subscribe(billing, "/events/order.paid", h.by("billing paid"))
			webhook.Subscribe(billing, "/events/order.#", h.by("billing any"), webhook.InGroup("audit"))
			webhook.On(billing, "/orders", h.by("billing command"))
			run(t, billing)
		}
		shipping := webhook.NewService("shipping", open(t, url))
		shop := shipping.Group("/shop")
		webhook.Subscribe(shipping, "/events/#", h.by("shipping"))
		webhook.Subscribe(shop, "/events/order.paid", h.by("shipping shop"))
		run(t, shipping)

		publish(t, mq, "/events/order.paid", purchase{"1"})
		publish(t, mq, "/events/order.item.added", purchase{"2"})
		publish(t, mq, "/events/user.created", purchase{"3"})
		publish(t, mq, "/shop/events/order.paid/", purchase{"4"})
		publish(t, mq, "/nobody/order.paid", purchase{"5"})
		send(t, mq, "/orders", purchase{"6"})
		h.wait(t,
			"billing /events/order.created 0", "billing any /events/order.created 0", "shipping /events/order.created 0",
			"billing paid /events/order.paid 1", "billing any /events/order.paid 1", "shipping /events/order.paid 1",
			"billing any /events/order.item.added 2", "shipping /events/order.item.added 2",
			"shipping /events/user.created 3",
			"shipping shop /shop/events/order.paid 4",
			"billing command /orders 6",
		)
		topic, err := webhook.TopicOf(mq, "/shop/events/order.paid")
		if err != nil || topic.Name() != "shop/events" {
			t.Errorf("%s, %v", topic.Name(), err)
		}
		for _, name := range []string{"events:events:billing", "events:events:audit", "events:events:shipping", "shop/events:shop/events:shipping"} {
			if dead := settled(t, mq.Queue(name)); len(dead) > 0 {
				t.Errorf("%s: %+v", name, dead)
			}
		}
	})
}

// A failure is the group's own: its retries, its dead letters.
func TestEventThatFails(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		var good heard
		other := webhook.NewService("other", open(t, url))
		webhook.Subscribe(other, "/events/#", good.by("other"))
		run(t, other)

		var mu sync.Mutex
		attempts := map[string]int{}
		s := webhook.NewService("billing", open(t, url))
		webhook.Subscribe(s, "/events/order.*", func(ctx context.Context, o purchase) error {
			mu.Lock()
			defer mu.Unlock()
			attempts[o.ID]++
			switch {
			case o.ID == "problem":
				return webhook.NewProblem(422, "no use")
			case o.ID == "panic" && attempts[o.ID] == 1:
				panic("once")
			case o.ID == "slow" && attempts[o.ID] < 3:
				return errors.New("not yet")
			}
			return nil
		}, webhook.Consume(leanmq.Retry(leanmq.RetryPolicy{MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond, MaxAttempts: 4})))
		run(t, s)
		for _, body := range []string{
			`{"id":"slow","unknown":"who publishes has added it"}`, `{"id":"panic"}`, `{"id":"problem"}`, `{}`, `{"id":7}`, `nonsense`,
		} {
			publish(t, mq, "/events/order.paid", []byte(body))
		}
		q := mq.Queue("events:events:billing")
		until(t, "all ended", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return attempts["slow"] == 3 && attempts["panic"] == 2 && info(t, q).Dead == 4
		})
		mu.Lock()
		if attempts["problem"] != 1 || len(attempts) != 3 {
			t.Errorf("%v", attempts)
		}
		mu.Unlock()
		for _, d := range settled(t, q) {
			if d.Reason != "rejected" {
				t.Errorf("%s: %s %s", d.Message.Payload, d.Reason, d.Error)
			}
		}
		names, err := mq.QueueNames(t.Context()) // what dlqctl lists
		if err != nil || !slices.Contains(names, "events:events:billing") {
			t.Errorf("%v, %v", names, err)
		}
		good.wait(t, "other /events/order.paid slow", "other /events/order.paid panic", "other /events/order.paid problem")
	})
}

func TestMiddlewareIsAroundEvents(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		got := make(chan string, 10)
		named := func(name string) webhook.Middleware {
			return func(next webhook.Handler) webhook.Handler {
				return func(ctx context.Context, r *webhook.Request) (*webhook.Response, error) {
					got <- fmt.Sprint(name, r.Method, r.Path, r.Pattern, r.Header("by"))
					return next(ctx, r)
				}
			}
		}
		s := webhook.NewService("billing", open(t, url), webhook.Use(named("a")))
		webhook.Subscribe(s.Group("/shop", named("b")), "/events/*", func(ctx context.Context, raw []byte) error {
			got <- string(raw) + webhook.FromContext(ctx).Message.Type
			return nil
		}, webhook.With(named("c")))
		run(t, s)
		publish(t, open(t, url), "/shop/events/paid", "x", leanmq.WithHeader("by", "ada"))
		for _, want := range []string{"a/shop/events/paid/shop/events/*ada", "b/shop/events/paid/shop/events/*ada", "c/shop/events/paid/shop/events/*ada", `"x"paid`} {
			if g := receive(t, got); g != want {
				t.Errorf("%s, want %s", g, want)
			}
		}
	})
}

// What another version of the service has subscribed to: this one fails it, so that it is
// retried, and the other one gets it.
func TestTwoVersionsOfAService(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		fast := webhook.Consume(leanmq.Retry(leanmq.RetryPolicy{MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond, MaxAttempts: 1000}))
		var h heard
		v1 := webhook.NewService("billing", open(t, url))
		webhook.Subscribe(v1, "/events/order.paid", h.by("v1"), fast)
		run(t, v1)
		until(t, "the first one consumes", func() bool { return info(t, mq.Queue("events:events:billing")).Consumers == 1 })
		v2 := webhook.NewService("billing", open(t, url))
		webhook.Subscribe(v2, "/events/order.new", h.by("v2"), fast)
		run(t, v2)
		until(t, "the second one consumes", func() bool { return info(t, mq.Queue("events:events:billing")).Consumers == 2 })
		var want []string
		for i := range 10 {
			publish(t, mq, "/events/order.new", purchase{fmt.Sprint(i)})
			want = append(want, fmt.Sprint("v2 /events/order.new ", i))
		}
		h.wait(t, want...)
		if dead := settled(t, mq.Queue("events:events:billing")); len(dead) > 0 {
			t.Errorf("%+v", dead)
		}
	})
}

// The events of an event store are those of a path, too.
func TestSubscribeToAnEventStore(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		got := make(chan string, 10)
		s := webhook.NewService("mail", open(t, url))
		webhook.Subscribe(s, "/bank/account.*", func(ctx context.Context, o purchase) error {
			r := webhook.FromContext(ctx)
			got <- strings.Join([]string{r.Path, r.Header(":aggregate"), r.Header(":version"), o.ID}, " ")
			return nil
		})
		run(t, s)
		_, err := eventstore.New(open(t, url), "bank").Append(t.Context(), "account-7", eventstore.NoEvents,
			eventstore.NewEvent{Type: "account.opened", Data: purchase{"x"}})
		if err != nil {
			t.Fatal(err)
		}
		if g := receive(t, got); g != "/bank/account.opened account-7 1 x" {
			t.Error(g)
		}
	})
}

func TestPublishRefusesWhatIsNoPath(t *testing.T) {
	sender := webhook.NewSender(open(t, "mem://"))
	for _, path := range []string{"", "events/x", "POST /events/x", "/events", "/events/order.*", "/events/a?b=c", "/events/a b"} {
		_, err := sender.Publish(t.Context(), path, nil)
		var bad *leanmq.InvalidError
		if !errors.Is(err, leanmq.ErrInvalid) || !errors.As(err, &bad) || bad.Field != "path" || !strings.Contains(err.Error(), fmt.Sprintf("%q", path)) {
			t.Errorf("%q: %v", path, err)
		}
	}
	if _, err := sender.Publish(t.Context(), "/events/x", make(chan int)); err == nil {
		t.Error("what cannot be encoded is published")
	}
	if _, err := sender.Publish(t.Context(), "/events/x", nil, leanmq.Delay(time.Hour)); !errors.Is(err, leanmq.ErrInvalid) {
		t.Error(err)
	}
	if _, err := webhook.TopicOf(open(t, "mem://"), "events"); !errors.Is(err, leanmq.ErrInvalid) {
		t.Error(err)
	}
}

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

func TestSubscribingAloneIsEnoughToRun(t *testing.T) {
	for _, group := range []string{"a:b", "leanmq"} {
		s := newService(t)
		webhook.Subscribe(s, "/events/x", func(context.Context, purchase) error { return nil }, webhook.InGroup(group))
		ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
		if err := s.Run(ctx); !errors.Is(err, leanmq.ErrInvalid) {
			t.Errorf("group %q: %v", group, err)
		}
		cancel()
	}
}
