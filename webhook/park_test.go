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
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

// log is what handlers did, in this order.
type log struct {
	mu   sync.Mutex
	list []string
}

func (l *log) add(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, s)
}

func (l *log) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list)
}

// logging registers handlers that note the service, the pattern and the path.
func logging(s *webhook.Service, name string, l *log, patterns ...string) *webhook.Service {
	for _, p := range patterns {
		s.Handle(p, func(_ context.Context, r *webhook.Request) (*webhook.Response, error) {
			l.add(name + " " + r.Pattern + " " + r.Path)
			return nil, nil
		})
	}
	return s
}

// unlistened parks a message without a word to anybody, as a sender does that
// dies just after it.
func unlistened(t *testing.T, mq *leanmq.Client, path string, opts ...leanmq.SendOption) {
	t.Helper()
	if _, err := mq.Queue("unrouted").Send(t.Context(), nil, append(opts, leanmq.Target("POST "+path))...); err != nil {
		t.Fatal(err)
	}
}

func TestParkedMessageReachesTheServiceThatRegistersItsPath(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		before := time.Now().Add(-time.Second)
		id := send(t, mq, "PUT /late/1?x=2", []byte("body"), leanmq.ID("my-id"), leanmq.WithHeader("x-tenant", "acme"), leanmq.TTL(time.Hour))
		plain := send(t, mq, "/late/2", nil)
		send(t, mq, "/never", nil)
		sent := time.Now().Add(time.Second)
		if n := parked(t, mq); n != 3 {
			t.Fatalf("%d messages are parked, want 3", n)
		}

		got := make(chan webhook.Request, 10)
		s := webhook.NewService("late", open(t, url), webhook.ConsumeWith(leanmq.Concurrency(1)))
		s.Handle("/late/{n}", func(_ context.Context, r *webhook.Request) (*webhook.Response, error) {
			got <- *r
			return nil, nil
		})
		run(t, s)
		r := receive(t, got)
		m := r.Message
		for what, pair := range map[string][2]string{
			"the id that Send returned": {id, "my-id"},
			"id":                        {m.ID, "my-id"},
			"method":                    {r.Method, "PUT"},
			"path":                      {r.PathValue("n"), "1"},
			"query":                     {r.Query, "x=2"},
			"body":                      {string(r.Body), "body"},
			"header":                    {r.Header("x-tenant"), "acme"},
			"attempt":                   {fmt.Sprint(m.Attempt), "1"},
		} {
			if pair[0] != pair[1] {
				t.Errorf("%s: %s, want %s", what, pair[0], pair[1])
			}
		}
		if m.SentAt.Before(before) || m.SentAt.After(sent) {
			t.Errorf("it says that it was sent at %v, which was between %v and %v", m.SentAt, before, sent)
		}
		if ttl := m.Deadline.Sub(m.SentAt); ttl != time.Hour {
			t.Errorf("it lives for %v from its sending, want an hour", ttl)
		}
		if second := receive(t, got).Message.ID; second != plain {
			t.Errorf("message %s, want %s: the id that Send returned, and its place", second, plain)
		}
		until(t, "only the path that nobody has is parked", func() bool { return parked(t, mq) == 1 })
		if dead := settled(t, queue(t, mq, "POST", "/late/1")); len(dead) != 0 || len(got) != 0 {
			t.Errorf("%d dead letters, %d messages twice", len(dead), len(got))
		}
	})
}

// A sender that does not know the route yet, while the service comes up: this is
// what a deployment looks like.
func TestNothingIsLostOrDoubledWhileAServiceRegisters(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const senders, each = 4, 50
		var l log
		var sending sync.WaitGroup
		half := make(chan bool, senders)
		for i := range senders {
			sender := webhook.NewSender(open(t, url))
			sending.Go(func() {
				for j := range each {
					if _, err := sender.Send(t.Context(), fmt.Sprintf("/race/%d-%d", i, j), nil); err != nil {
						t.Error(err)
					}
					if j == each/4 {
						half <- true
					}
				}
			})
		}
		for range senders {
			receive(t, half)
		}
		run(t, logging(webhook.NewService("race", open(t, url)), "race", &l, "/race/{id}"))
		sending.Wait()
		mq := open(t, url)
		until(t, "all are delivered", func() bool { return len(l.lines()) >= senders*each && parked(t, mq) == 0 })
		settled(t, queue(t, mq, "POST", "/race/1"))
		lines := l.lines()
		slices.Sort(lines)
		if n := len(slices.Compact(slices.Clone(lines))); n != senders*each || len(lines) != n {
			t.Errorf("%d different ones of %d messages were delivered, %d in all", n, senders*each, len(lines))
		}
	})
}

func TestDelayedMessageIsParkedUntilItIsDue(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		const delay = 300 * time.Millisecond
		begin := time.Now()
		send(t, mq, "/late/1", nil, leanmq.Delay(delay))
		got := make(chan time.Time, 2)
		s := webhook.NewService("late", open(t, url))
		s.Handle("/late/{n}", func(context.Context, *webhook.Request) (*webhook.Response, error) {
			got <- time.Now()
			return nil, nil
		})
		run(t, s)
		// Late by less than the service waits between two looks without a reason.
		if d := receive(t, got).Sub(begin); d < delay || d > delay+webhook.TendEvery*6/10 {
			t.Errorf("it came after %v, want %v", d, delay)
		}
		until(t, "nothing is parked", func() bool { return parked(t, mq) == 0 })
		if settled(t, queue(t, mq, "POST", "/late/1")); len(got) != 0 {
			t.Error("it came twice")
		}
	})
}

func TestParkedMessageThatExpiredIsDropped(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		send(t, mq, "/late/expired", nil, leanmq.TTL(time.Millisecond))
		time.Sleep(100 * time.Millisecond) // its time, and what a client may be off the server's clock
		send(t, mq, "/late/good", nil)
		var l log
		run(t, logging(webhook.NewService("late", open(t, url)), "late", &l, "/late/{n}"))
		until(t, "nothing is parked", func() bool { return parked(t, mq) == 0 })
		dead := settled(t, queue(t, mq, "POST", "/late/1"))
		if lines := l.lines(); len(dead) != 0 || !slices.Equal(lines, []string{"late /late/{n} /late/good"}) {
			t.Errorf("%d dead letters, delivered: %q", len(dead), lines)
		}
	})
}

func TestParkedMessagesReachTheirOwnService(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		for _, path := range []string{"/a/1", "/b/1", "/a/2", "/b/2", "/c"} {
			send(t, mq, path, nil)
		}
		var l log
		run(t, logging(webhook.NewService("a", open(t, url)), "a", &l, "/a/{n}"))
		until(t, "those of a are gone", func() bool { return parked(t, mq) == 3 })
		run(t, logging(webhook.NewService("b", open(t, url)), "b", &l, "/b/{n}"))
		until(t, "those of b are gone", func() bool { return parked(t, mq) == 1 })
		settled(t, queue(t, mq, "POST", "/a/1"))
		settled(t, queue(t, mq, "POST", "/b/1"))
		lines := l.lines()
		slices.Sort(lines)
		if want := []string{"a /a/{n} /a/1", "a /a/{n} /a/2", "b /b/{n} /b/1", "b /b/{n} /b/2"}; !slices.Equal(lines, want) {
			t.Errorf("delivered: %q, want %q", lines, want)
		}
	})
}

// Two services match it, and the route table says whose it is.
func TestParkedMessageReachesTheMostSpecificPattern(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const messages = 50
		var l log
		run(t, logging(webhook.NewService("general", open(t, url)), "general", &l, "/{a}/{n}"))
		run(t, logging(webhook.NewService("special", open(t, url)), "special", &l, "/a/{n}"))
		mq := open(t, url)
		for n := range messages {
			unlistened(t, mq, fmt.Sprintf("/a/%d", n))
		}
		if err := mq.Store().Notify(t.Context(), "parked"); err != nil { // both at once
			t.Fatal(err)
		}
		until(t, "nothing is parked", func() bool { return parked(t, mq) == 0 })
		settled(t, queue(t, mq, "POST", "/a/1"))
		settled(t, queue(t, mq, "POST", "/x/1"))
		lines := l.lines()
		wrong := slices.DeleteFunc(slices.Clone(lines), func(s string) bool { return strings.HasPrefix(s, "special ") })
		if len(lines) != messages || len(wrong) != 0 {
			t.Errorf("%d deliveries of %d messages, %d of them to the wrong service", len(lines), messages, len(wrong))
		}
	})
}

// What makes two messages one is the same id in the same queue: not that both
// had to wait for their services.
func TestParkedIDsAreThoseOfTheirQueues(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		send(t, mq, "/billing/orders", nil, leanmq.ID("order-42"))
		send(t, mq, "/shipping/orders", nil, leanmq.ID("order-42"))
		var l log
		run(t, logging(webhook.NewService("billing", open(t, url)), "billing", &l, "/billing/orders"))
		run(t, logging(webhook.NewService("shipping", open(t, url)), "shipping", &l, "/shipping/orders"))
		until(t, "both are delivered", func() bool { return len(l.lines()) == 2 })
	})
}

func TestParkedIDIsRememberedByItsQueue(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		send(t, mq, "/late/1", nil, leanmq.ID("order-42"))
		_, err := webhook.NewSender(mq).Send(t.Context(), "/late/1", nil, leanmq.ID("order-42"))
		if !errors.Is(err, leanmq.ErrDuplicate) {
			t.Errorf("while it is parked: %v, want ErrDuplicate", err)
		}
		var l log
		run(t, logging(webhook.NewService("late", open(t, url)), "late", &l, "/late/{n}"))
		until(t, "it is delivered", func() bool { return len(l.lines()) == 1 && parked(t, mq) == 0 })
		q := queue(t, mq, "POST", "/late/1")
		if _, err := q.Send(t.Context(), nil, leanmq.ID("order-42"), leanmq.Target("POST /late/1")); !errors.Is(err, leanmq.ErrDuplicate) {
			t.Errorf("after it was delivered: %v, want ErrDuplicate", err)
		}
	})
}

// Send accepted both, so both are delivered.
func TestParkedMessagesWithAnIDThatIsNotRemembered(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		for range 2 {
			send(t, mq, "/late/1", nil, leanmq.ID("same"), leanmq.Dedupe(0))
		}
		var l log
		run(t, logging(webhook.NewService("late", open(t, url)), "late", &l, "/late/{n}"))
		until(t, "nothing is parked", func() bool { return parked(t, mq) == 0 })
		settled(t, queue(t, mq, "POST", "/late/1"))
		if n := len(l.lines()); n != 2 {
			t.Errorf("%d of 2 accepted messages were delivered", n)
		}
	})
}

func TestFullParkRefuses(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		if _, err := mq.Queue("unrouted").SendMany(t.Context(), make([][]byte, webhook.MaxParked-1)); err != nil {
			t.Fatal(err)
		}
		send(t, mq, "/last", nil)
		_, err := webhook.NewSender(mq).Send(t.Context(), "/one/too/many", nil)
		if !errors.Is(err, leanmq.ErrQueueFull) {
			t.Errorf("%v, want ErrQueueFull", err)
		}
		if n := parked(t, mq); n != webhook.MaxParked {
			t.Errorf("%d messages are parked, want %d", n, webhook.MaxParked)
		}
		// It is no bound for paths that there are.
		var l log
		run(t, logging(webhook.NewService("known", open(t, url)), "known", &l, "/known", "/last"))
		until(t, "the sender knows it", func() bool {
			_, err := webhook.Lookup(t.Context(), mq, "POST", "/known")
			return err == nil
		})
		send(t, mq, "/known", nil)
		until(t, "both are delivered", func() bool { return len(l.lines()) == 2 })
	})
}
