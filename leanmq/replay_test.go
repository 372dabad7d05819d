package leanmq_test

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// A replay holds what its workers are about to handle, however long the topic is. With
// LEANMQ_LONG=1 it has a million events.
func TestReplayTakesLittleMemory(t *testing.T) {
	events, bound := 60_000, uint64(32<<20)
	if os.Getenv("LEANMQ_LONG") != "" {
		events = 1_000_000
	}
	server := redistest.Server(t)
	topic := open(t, server.URL()).Topic("events")
	page := make([][]byte, 1000)
	for i := 0; i < events; i += len(page) {
		for j := range page {
			page[j] = append([]byte(strconv.Itoa(i+j)), make([]byte, 100)...)
		}
		if _, err := topic.PublishMany(t.Context(), page, leanmq.Type("order.created")); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var most atomic.Uint64
	watch, stop := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for watch.Err() == nil {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			most.Store(max(most.Load(), now.HeapInuse))
			time.Sleep(20 * time.Millisecond)
		}
	}()
	var handled atomic.Int64
	group := topic.Group("replay")
	c := consume(t, group.Queue(), func(context.Context, *leanmq.Message) error {
		handled.Add(1)
		return nil
	}, leanmq.Types("order.#"))
	for _, pass := range []int64{1, 2} { // the second time it is rewound
		begin := time.Now()
		within(t, 10*time.Minute, "all are handled", func() bool { return handled.Load() >= pass*int64(events) })
		t.Logf("%d events in %v", events, time.Since(begin).Round(time.Millisecond))
		becomesEmpty(t, group.Queue())
		if pass == 1 {
			seek(t, group, leanmq.FromBeginning())
		}
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	stop()
	<-watched
	grown := most.Load() - min(most.Load(), before.HeapInuse)
	t.Logf("the heap grew by %.1f MiB", float64(grown)/(1<<20))
	if grown > bound {
		t.Errorf("the heap grew by %d bytes, want %d at most", grown, bound)
	}
	if n := handled.Load(); n != 2*int64(events) {
		t.Errorf("%d were handled, want %d", n, 2*events)
	}
}
