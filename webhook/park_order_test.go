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

// What is parked for one path keeps nothing of another one waiting, however they
// are called; ordering keys, levels and unique keys are those of its own queue.
func TestParkedMessagesKeepOrderLevelsAndUniqueKeys(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		send(t, mq, "/never", "x", leanmq.OrderingKey("k"), leanmq.Unique("u"), leanmq.UniqueFor("f", time.Hour))
		for i := range 4 {
			l := []leanmq.Level{leanmq.Urgent, leanmq.Low, leanmq.Normal, leanmq.High}[i]
			send(t, mq, fmt.Sprint("/late/", i), "x", leanmq.OrderingKey("k"), leanmq.Priority(l), leanmq.WithHeader("x-kept", "yes"))
		}
		first := send(t, mq, "/late/u", "x", leanmq.Unique("u"))
		again := func(path string, opts ...leanmq.SendOption) (string, error) {
			return webhook.NewSender(mq).Send(t.Context(), path, "x", opts...)
		}
		if id, err := again("/late/u", leanmq.Unique("u")); !errors.Is(err, leanmq.ErrDuplicate) || id != first {
			t.Errorf("%s, %v", id, err)
		}
		window := send(t, mq, "/late/f", "x", leanmq.UniqueFor("f", time.Hour), leanmq.Priority(leanmq.Low))
		if id, err := again("/late/f", leanmq.UniqueFor("f", time.Hour)); !errors.Is(err, leanmq.ErrDuplicate) || id != window {
			t.Errorf("%s, %v", id, err)
		}
		if n := parked(t, mq); n != 7 {
			t.Errorf("%d are parked, want 7", n)
		}

		var mu sync.Mutex
		var got []string
		hold := make(chan struct{})
		s := webhook.NewService("late", open(t, url))
		s.Handle("/late/{n}", func(_ context.Context, r *webhook.Request) (*webhook.Response, error) {
			if r.PathValue("n") == "u" {
				<-hold
			}
			mu.Lock()
			defer mu.Unlock()
			got = append(got, r.PathValue("n"))
			for name := range r.Message.Header {
				if name != "x-kept" && name[0] == ':' && len(name) == 2 {
					t.Errorf("header %q", name)
				}
			}
			return nil, nil
		})
		run(t, s)
		until(t, "all but one are handled", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(got) == 5
		})
		if id, err := again("/late/other", leanmq.Unique("u")); !errors.Is(err, leanmq.ErrDuplicate) || id != first {
			t.Errorf("the unique key did not move: %s, %v", id, err)
		}
		if id, err := again("/late/other", leanmq.UniqueFor("f", time.Hour)); !errors.Is(err, leanmq.ErrDuplicate) || id != window {
			t.Errorf("the time did not move: %s, %v", id, err)
		}
		close(hold)
		until(t, "the last one is handled", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(got) == 6
		})
		ordered := slices.DeleteFunc(got, func(s string) bool { return s == "u" || s == "f" })
		if !slices.Equal(ordered, []string{"0", "1", "2", "3"}) {
			t.Errorf("%v", ordered)
		}
		until(t, "only the path that nobody has is parked", func() bool { return parked(t, mq) == 1 })
	})
}
