package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// What was accepted is on disk with these settings: a crash of the server loses
// none of it.
func TestNothingAcceptedIsLostWhenTheServerCrashes(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t, "--appendonly", "yes", "--appendfsync", "always")
	mq, other := open(t, server.URL()), open(t, server.URL())
	q := mq.Queue("jobs")
	var got record
	flaky := func(_ context.Context, m *leanmq.Message) error {
		if m.Attempt == 1 && strings.HasSuffix(string(m.Payload), "7") {
			return errors.New("not yet")
		}
		got.add(m)
		return nil
	}
	consume(t, q, flaky, quick, leanmq.Lease(500*time.Millisecond))
	consume(t, other.Queue("jobs"), flaky, quick, leanmq.Lease(500*time.Millisecond))

	var mu sync.Mutex
	accepted := map[string]bool{}
	unknown := map[string]bool{}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for s := range 4 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				payload := fmt.Sprintf("%d.%d", s, n)
				var opts []leanmq.SendOption
				switch n % 3 {
				case 1:
					opts = append(opts, leanmq.Delay(time.Duration(1+n%50)*time.Millisecond))
				case 2:
					opts = append(opts, leanmq.ID("id "+payload))
				}
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				_, err := mq.Queue("jobs").Send(ctx, []byte(payload), opts...)
				cancel()
				mu.Lock()
				switch {
				case err == nil:
					accepted[payload] = true
				case errors.Is(err, leanmq.ErrUnknown):
					unknown[payload] = true
				case !errors.Is(err, leanmq.ErrUnavailable):
					t.Error(err)
				}
				mu.Unlock()
				time.Sleep(time.Millisecond)
			}
		})
	}
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(accepted) }
	for range 3 {
		n := count()
		eventually(t, "some more are accepted", func() bool { return count() > n+100 })
		server.Kill()
		server.Start()
	}
	n := count()
	eventually(t, "some more are accepted", func() bool { return count() > n+100 })
	close(stop)
	wg.Wait()
	becomesEmpty(t, q)

	handled := map[string]int{}
	for _, p := range got.payloads() {
		handled[p]++
	}
	lost := 0
	for p := range accepted {
		if handled[p] == 0 {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d accepted messages are lost", lost, len(accepted))
	}
	for p := range handled {
		if !accepted[p] && !unknown[p] {
			t.Errorf("%s was refused, and handled", p)
		}
	}
}
