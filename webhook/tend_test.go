package webhook_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/webhook"
)

func TestMessageParkedWithoutANoticeIsFound(t *testing.T) {
	redistest.ForEachOwnStore(t, func(t *testing.T, url string) {
		var l log
		mq := open(t, url)
		run(t, logging(webhook.NewService("late", open(t, url)), "late", &l, "/late/{n}"))
		request(t, mq, inbox(t, mq), "POST /late/0", nil) // it has looked already
		unlistened(t, mq, "/late/1")
		until(t, "it is delivered", func() bool { return len(l.lines()) == 2 && parked(t, mq) == 0 })
	})
}

// raw is a connection without LeanMQ, to play an operator.
func raw(t *testing.T, redisURL string) redis.UniversalClient {
	t.Helper()
	return redistest.Client(t, redisURL)
}

func TestServiceRegistersAgainWhenRedisHasLostTheRoutes(t *testing.T) {
	for name, lose := range map[string]func(*testing.T, *redistest.RedisServer){
		"flushed": func(t *testing.T, server *redistest.RedisServer) {
			if err := raw(t, server.URL()).FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		},
		"restarted empty": func(_ *testing.T, server *redistest.RedisServer) {
			server.Kill()
			server.Start()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Server(t)
			var l log
			run(t, logging(webhook.NewService("a", open(t, server.URL())), "a", &l, "/a/{n}", "GET /b"))
			run(t, logging(webhook.NewService("b", open(t, server.URL())), "b", &l, "/c"))
			known := open(t, server.URL())
			if n := len(patterns(t, known)); n != 3 {
				t.Fatalf("%d routes, want 3", n)
			}
			lose(t, server)
			begin := time.Now()
			mq := open(t, server.URL()) // one that has never seen the routes
			until(t, "all routes are back", func() bool {
				if _, err := webhook.Lookup(t.Context(), known, "GET", "/b"); err != nil {
					t.Errorf("a sender has forgotten a route that is still served: %v", err)
				}
				routes, err := webhook.Routes(t.Context(), mq)
				return err == nil && len(routes) == 3
			})
			if took := time.Since(begin); took > 5*webhook.TendEvery {
				t.Errorf("it took %v", took)
			}
			send(t, mq, "/a/1", nil)
			send(t, mq, "/c", nil)
			until(t, "both are delivered", func() bool { return len(l.lines()) == 2 })
		})
	}
}

// What a service still serves is not given up.
func TestServiceRegistersAgainWhenItsRouteWasRemoved(t *testing.T) {
	redistest.ForEachOwnStore(t, func(t *testing.T, url string) {
		var l log
		run(t, logging(webhook.NewService("a", open(t, url)), "a", &l, "/a"))
		mq := open(t, url)
		if err := webhook.RemoveRoute(t.Context(), mq, "/a"); err != nil {
			t.Fatal(err)
		}
		send(t, mq, "/a", nil) // parked, or not any more
		until(t, "it is delivered", func() bool { return len(l.lines()) == 1 })
		until(t, "the route is back", func() bool {
			_, err := webhook.Lookup(t.Context(), mq, "POST", "/a")
			return err == nil
		})
	})
}

// Two versions of a service run side by side for a while and must leave each
// other's routes alone.
func TestVersionsOfAServiceKeepTheRouteTableStill(t *testing.T) {
	redistest.ForEachOwnStore(t, func(t *testing.T, url string) {
		run(t, answering(webhook.NewService("orders", open(t, url)), "/orders/{id}"))
		run(t, answering(webhook.NewService("orders", open(t, url)), "/orders/{order}", "/new"))
		mq := open(t, url)
		changes := make(chan string, 100)
		stop := mq.OnNotice(func(notice string) {
			if notice == "routes" || notice == "" {
				changes <- notice
			}
		})
		defer stop()
		if first := receive(t, changes); first != "" {
			t.Fatalf("a notice %q before the subscription's own", first)
		}
		select {
		case <-changes:
			t.Errorf("the route table was changed: %q", patterns(t, mq))
		case <-time.After(2 * webhook.TendEvery): // both have looked
		}
	})
}
