package webhook_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

func TestReady(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := answering(webhook.NewService("orders", open(t, url)), "/orders")
		mq := open(t, url)
		select {
		case <-s.Ready():
			t.Fatal("ready before Run")
		default:
		}
		if _, err := webhook.Lookup(t.Context(), mq, "GET", "/orders"); status(err) != 404 {
			t.Fatalf("before Run the path leads to %v", err)
		}
		run(t, s) // returns when it is ready
		if routes := patterns(t, open(t, url)); !slices.Equal(routes, []string{"orders /orders"}) {
			t.Errorf("ready, and the route table has %q", routes)
		}
	})
}

func TestRunEndsWhenAHandlerHasFinished(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		began, goOn := make(chan bool), make(chan bool)
		s := webhook.NewService("orders", open(t, url))
		s.Handle("/slow", func(ctx context.Context, _ *webhook.Request) (*webhook.Response, error) {
			began <- true
			<-goOn
			return nil, ctx.Err() // a soft stop does not cancel it
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		receive(t, s.Ready())
		mq := open(t, url)
		send(t, mq, "/slow", nil)
		receive(t, began)
		cancel()
		select {
		case err := <-ended:
			t.Errorf("Run ended with %v while a handler was running", err)
		case <-time.After(50 * time.Millisecond): // there is nothing to wait for
		}
		close(goOn)
		if err := receive(t, ended); err != nil {
			t.Errorf("Run: %v", err)
		}
		if dead := settled(t, queue(t, mq, "POST", "/slow")); len(dead) != 0 {
			t.Errorf("%d dead letters", len(dead))
		}
	})
}

func TestIdleServiceStopsAtOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := answering(webhook.NewService("orders", open(t, url)), "/a", "/b", "/c/{x}")
		stop := run(t, s)
		mq := open(t, url)
		request(t, mq, inbox(t, mq), "GET /a", nil) // it is consuming
		begin := time.Now()
		stop()
		// The promise is 50 ms. A blocked read takes 2 s when nobody ends it.
		if took := time.Since(begin); took > 1900*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

func TestRunRefuses(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		for name, tt := range map[string]struct {
			service *webhook.Service
			want    string
		}{
			"no routes":    {webhook.NewService("empty", mq), `service "empty" has no routes`},
			"no name":      {answering(webhook.NewService("", mq), "/x"), `service name is ""`},
			"a space":      {answering(webhook.NewService("my orders", mq), "/x"), `service name is "my orders"`},
			"a colon":      {answering(webhook.NewService("my:orders", mq), "/x"), `service name is "my:orders"`},
			"a brace":      {answering(webhook.NewService("{orders}", mq), "/x"), `service name is "{orders}"`},
			"a line break": {answering(webhook.NewService("my\norders", mq), "/x"), `service name is "my\norders"`},
			"a long name":  {answering(webhook.NewService(strings.Repeat("n", 65), mq), "/x"), "64 bytes"},
		} {
			if err := tt.service.Run(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: Run: %v, want %q", name, err, tt.want)
			}
			if routes := patterns(t, mq); len(routes) != 0 {
				t.Errorf("%s: the route table has %q", name, routes)
			}
		}
		run(t, answering(webhook.NewService(strings.Repeat("n", 64), mq), "/x")) // as long as can be
	})
}

// One route that cannot be consumed ends the others: a service that works in part
// would not be noticed. Nobody sends to it then: it has registered nothing.
func TestRunRefusesABadOption(t *testing.T) {
	event := func(context.Context, struct{}) error { return nil }
	for name, register := range map[string]func(*webhook.Service){
		"of a route": func(s *webhook.Service) { s.Handle("/bad", nothing, webhook.Consume(leanmq.Concurrency(0))) },
		"of an event": func(s *webhook.Service) {
			webhook.Subscribe(s, "/events/x", event, webhook.Consume(leanmq.Concurrency(0)))
		},
		"of the group": func(s *webhook.Service) { webhook.Subscribe(s, "/events/x", event, webhook.InGroup("a:b")) },
	} {
		t.Run(name, func(t *testing.T) {
			redistest.ForEachStore(t, func(t *testing.T, url string) {
				mq := open(t, url)
				s := answering(webhook.NewService("orders", mq), "/good")
				register(s)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				if err := s.Run(ctx); !errors.Is(err, leanmq.ErrInvalid) {
					t.Errorf("Run: %v", err)
				}
				if routes := patterns(t, mq); len(routes) != 0 {
					t.Errorf("the route table has %q", routes)
				}
			})
		})
	}
}

// A request would panic, and its handler never see one.
func TestRunRefusesARuleThatNobodyHas(t *testing.T) {
	type order struct {
		Item struct {
			Name string `validate:"shouted"`
		}
	}
	for name, register := range map[string]func(*webhook.Service){
		"a request": func(s *webhook.Service) { webhook.Handle(s, "/orders", echo[order]) },
		"a pointer": func(s *webhook.Service) { webhook.Handle(s, "/orders", echo[*order]) },
		"an event": func(s *webhook.Service) {
			webhook.Subscribe(s, "/events/x", func(context.Context, order) error { return nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			redistest.ForEachStore(t, func(t *testing.T, url string) {
				mq := open(t, url)
				s := answering(webhook.NewService("orders", mq), "/good")
				register(s)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				err := s.Run(ctx)
				for _, want := range []string{"webhook_test.order", "shouted", "Name", "Service.Validator"} {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("Run: %v does not name %s", err, want)
					}
				}
				if routes := patterns(t, mq); len(routes) != 0 {
					t.Errorf("the route table has %q", routes)
				}
			})
		})
	}
}

func TestRunAgainIsRefused(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		s := answering(webhook.NewService("orders", mq), "/orders")
		run(t, s)
		if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "already running") {
			t.Errorf("the second Run: %v", err)
		}
		if r := request(t, mq, inbox(t, mq), "GET /orders", nil); r.Status != 200 {
			t.Errorf("the first one does not work any more: %d", r.Status)
		}
		text := panicOf(func() { answering(s, "/more") })
		if !strings.Contains(text, "after Run") || !strings.Contains(text, `"/more"`) {
			t.Errorf("registering after Run: %q", text)
		}
	})
}

func TestRunWaitsForRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	mq := open(t, server.URL())
	server.Stop()
	s := answering(webhook.NewService("orders", mq), "/orders")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	select {
	case err := <-ended:
		t.Fatalf("Run gave up: %v", err)
	case <-s.Ready():
		t.Fatal("ready without Redis")
	case <-time.After(300 * time.Millisecond): // some attempts
	}
	server.Start()
	receive(t, s.Ready())
	if r := request(t, mq, inbox(t, mq), "GET /orders", nil); r.Status != 200 {
		t.Errorf("status %d", r.Status)
	}
	cancel()
	if err := receive(t, ended); err != nil {
		t.Errorf("Run: %v", err)
	}
}
