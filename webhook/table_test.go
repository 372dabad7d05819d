package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

func TestRoutesListsEveryRouteWithItsServiceAndQueue(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		if routes := patterns(t, mq); len(routes) != 0 {
			t.Errorf("nothing is registered, and the table has %q", routes)
		}
		run(t, answering(webhook.NewService("orders", open(t, url)), "POST /orders/", "/orders/{id}/items/{rest...}"))
		run(t, answering(webhook.NewService("root", open(t, url)), "/"))
		routes, err := webhook.Routes(t.Context(), mq)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range routes {
			got = append(got, fmt.Sprintf("%s | %s | %s", r.Service, r.Pattern, r.Queue.Name()))
		}
		slices.Sort(got)
		if want := []string{
			"orders | /orders/{id}/items/{rest...} | orders:/orders/*/items/**",
			"orders | POST /orders | orders:POST /orders",
			"root | / | root:/",
		}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// The sender has looked at the table, and then it changes in another process.
func TestSenderLearnsOfChangesWithinASecond(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		run(t, answering(webhook.NewService("early", open(t, url)), "/early"))
		mq := open(t, url)
		leads := func(path string) string {
			r, err := webhook.Lookup(t.Context(), mq, "POST", path)
			if status(err) == 404 {
				return "nowhere"
			} else if err != nil {
				t.Fatal(err)
			}
			return r.Service + " " + r.Pattern
		}
		if at := leads("/late/1"); at != "nowhere" || leads("/early") != "early /early" {
			t.Fatalf("/late/1 leads to %s before it is registered", at)
		}
		stop := run(t, answering(webhook.NewService("late", open(t, url)), "/late/{id}"))
		within(t, time.Second, "a new route is found", func() bool { return leads("/late/1") == "late /late/{id}" })

		// A more specific one of another service takes over what was a hit.
		run(t, answering(webhook.NewService("special", open(t, url)), "/late/1"))
		within(t, time.Second, "a more specific route is found", func() bool { return leads("/late/1") == "special /late/1" })

		stop()
		if err := webhook.RemoveRoute(t.Context(), open(t, url), "/late/{any}"); err != nil {
			t.Fatal(err)
		}
		within(t, time.Second, "a removed route is gone", func() bool { return leads("/late/2") == "nowhere" })
		if leads("/late/1") != "special /late/1" || leads("/early") != "early /early" {
			t.Error("more than one route was removed")
		}
	})
}

func TestRemovedPathIsFreeForAnotherService(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		stop := run(t, answering(webhook.NewService("old", open(t, url)), "POST /orders/{id}"))
		stop()
		mq := open(t, url)
		send(t, mq, "/orders/1", nil)
		old := queue(t, mq, "POST", "/orders/1")
		if err := webhook.RemoveRoute(t.Context(), mq, "POST /orders/{id}"); err != nil {
			t.Fatal(err)
		}
		if i := info(t, old); i.Ready != 1 {
			t.Errorf("its queue has %d messages, want the one that was there", i.Ready)
		}
		send(t, mq, "/orders/2", nil)
		if n := parked(t, mq); n != 1 {
			t.Errorf("%d messages are parked, want 1", n)
		}
		var l log
		run(t, logging(webhook.NewService("new", open(t, url)), "new", &l, "/orders/{id}"))
		until(t, "the parked one is delivered", func() bool {
			return slices.Equal(l.lines(), []string{"new /orders/{id} /orders/2"})
		})
	})
}

func TestRemoveRouteOfWhatIsNotThere(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		run(t, answering(webhook.NewService("orders", open(t, url)), "/orders/{id}"))
		if err := webhook.RemoveRoute(t.Context(), mq, "GET /orders/{id}"); err != nil {
			t.Error(err)
		}
		var bad *webhook.PatternError
		if err := webhook.RemoveRoute(t.Context(), mq, "orders"); !errors.As(err, &bad) {
			t.Errorf("a malformed pattern: %v", err)
		}
		if routes := patterns(t, mq); !slices.Equal(routes, []string{"orders /orders/{id}"}) {
			t.Errorf("the table has %q", routes)
		}
	})
}

func TestLookupTellsWhichMethodsThereAre(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		run(t, answering(webhook.NewService("orders", open(t, url)), "GET /orders/{id}", "PUT /orders/{id}"))
		run(t, answering(webhook.NewService("more", open(t, url)), "DELETE /orders/1"))
		_, err := webhook.Lookup(t.Context(), open(t, url), "POST", "/orders/1")
		var p *webhook.Problem
		if !errors.As(err, &p) || p.Status != 405 || !slices.Equal(p.Allow, []string{"DELETE", "GET", "HEAD", "PUT"}) {
			t.Errorf("%#v", err)
		}
	})
}

// A Redis that accepts connections and does not answer is the slowest of outages:
// nobody waits for longer than it said, even while others do.
func TestLookupKeepsItsDeadlineWhenRedisHangs(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	mq := open(t, server.URL())
	server.Pause()
	defer server.Resume()
	lookup := func(patience time.Duration) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		begin := time.Now()
		_, err := webhook.Lookup(ctx, mq, "GET", "/")
		if !errors.Is(err, leanmq.ErrUnavailable) && !errors.Is(err, leanmq.ErrUnknown) {
			t.Errorf("%v, want ErrUnavailable or ErrUnknown", err)
		}
		if took := time.Since(begin); took > patience+2*time.Second { // less than the first one waits
			t.Errorf("it took %v, want %v", took, patience)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { lookup(2500 * time.Millisecond) })
	for range 20 {
		time.Sleep(time.Millisecond) // the first one shall be first
		wg.Go(func() { lookup(100 * time.Millisecond) })
	}
	wg.Wait()
}

func TestKnownRoutesAreRememberedWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	run(t, answering(webhook.NewService("orders", open(t, server.URL())), "/orders"))
	mq := open(t, server.URL())
	if _, err := webhook.Lookup(t.Context(), mq, "GET", "/orders"); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	if _, err := webhook.Lookup(t.Context(), mq, "GET", "/orders"); err != nil {
		t.Errorf("a known route: %v", err)
	}
	if _, err := webhook.NewSender(mq).Send(t.Context(), "/orders", nil); !errors.Is(err, leanmq.ErrUnavailable) {
		t.Errorf("Send: %v, want ErrUnavailable", err)
	}
	server.Start()
}
