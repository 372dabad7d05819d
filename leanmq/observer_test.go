package leanmq_test

import (
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/leanmq/leanmq/leanmq"
)

// observer counts what hooks are told.
type observer struct {
	mu      sync.Mutex
	counts  map[string]int
	handled []leanmq.HandleInfo
	sent    []leanmq.SendInfo
	outages []leanmq.OutageInfo
}

func (o *observer) count(format string, args ...any) {
	if o.counts == nil {
		o.counts = map[string]int{}
	}
	o.counts[fmt.Sprintf(format, args...)]++
}

func (o *observer) hooks() leanmq.Hooks {
	return leanmq.Hooks{
		Sent: func(i leanmq.SendInfo) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.sent = append(o.sent, i)
		},
		Handled: func(i leanmq.HandleInfo) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.count("%s", i.Outcome)
			o.handled = append(o.handled, i)
		},
		Dead: func(i leanmq.DeadInfo) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.count("dead letter: %s, attempt %d", i.Reason, i.Attempt)
		},
		Expired: func(i leanmq.MessageInfo) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.count("expired")
		},
		LeaseLost: func(i leanmq.MessageInfo) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.count("lease lost: %s/%s", i.Queue, i.ID)
		},
		Outage: func(i leanmq.OutageInfo) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.outages = append(o.outages, i)
		},
	}
}

// is checks what has been told so far, and forgets it.
func (o *observer) is(t *testing.T, want map[string]int) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if !maps.Equal(o.counts, want) {
		t.Errorf("told %v, want %v", o.counts, want)
	}
	o.counts = nil
}

// becomesGone waits until only dead letters are left.
func becomesGone(t *testing.T, q *leanmq.Queue) {
	t.Helper()
	eventually(t, "all are settled", func() bool {
		i := info(t, q)
		return i.Ready+i.InFlight+i.Scheduled == 0
	})
}
