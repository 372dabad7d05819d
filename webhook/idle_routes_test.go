package webhook_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/webhook"
)

// The original polled its routes one after another: with five of them a message
// waited for seconds.
func TestIdleRoutesDoNotDelayABusyOne(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := webhook.NewService("many", open(t, url))
		for i := range 20 {
			s.Handle(fmt.Sprintf("/idle/%d/{id}", i), nothing)
		}
		arrived := make(chan time.Time, 1)
		s.Handle("/busy", func(context.Context, *webhook.Request) (*webhook.Response, error) {
			arrived <- time.Now()
			return nil, nil
		})
		run(t, s)
		mq := open(t, url)
		send(t, mq, "/busy", nil)
		receive(t, arrived) // it consumes, and its connections are there
		var took []time.Duration
		for range 50 {
			begin := time.Now()
			send(t, mq, "/busy", nil)
			took = append(took, receive(t, arrived).Sub(begin))
		}
		slices.Sort(took)
		if median := took[len(took)/2]; median > 20*time.Millisecond && strings.HasSuffix(t.Name(), "redis") {
			t.Errorf("the median from send to handler is %v, want less than 20ms (it takes 0.1ms)", median)
		}
	})
}
