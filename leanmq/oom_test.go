package leanmq_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// A server whose memory is full refuses sends, and nothing else: what is there is
// renewed, retried, dead-lettered and done, by consumers old and new, until there is
// room again.
func TestFullMemoryRefusesSendsOnly(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t, "--maxmemory", "40mb", "--maxmemory-policy", "noeviction")
	url := server.URL()
	c := rawClient(t, url)
	mq := open(t, url)
	q := mq.Queue("q")

	var full atomic.Bool
	hold := make(chan struct{})
	letGo := sync.OnceFunc(func() { close(hold) })
	var got record
	handle := func(_ context.Context, m *leanmq.Message) error {
		if string(m.Payload) == "long" {
			got.add(m)
			<-hold // several leases
			return nil
		}
		if !full.Load() {
			return leanmq.RetryAfter(50*time.Millisecond, errors.New("wait until the memory is full"))
		}
		got.add(m)
		switch what, _, _ := strings.Cut(string(m.Payload), " "); what {
		case "retry":
			if m.LastError == "under a full memory" {
				return nil
			}
			return leanmq.RetryAfter(10*time.Millisecond, errors.New("under a full memory"))
		case "dead":
			return leanmq.Reject(errors.New("no"))
		}
		return nil
	}
	// However long it takes until the memory is full.
	opts := []leanmq.ConsumeOption{
		leanmq.Lease(300 * time.Millisecond), leanmq.MaxDeliveries(1000),
		leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 1_000_000}),
	}
	old := consume(t, open(t, url).Queue("q"), handle, opts...)
	defer letGo() // or the consumers would not stop

	const each = 20
	for i := range each {
		for k, what := range []string{"done", "retry", "dead"} {
			text := fmt.Sprint(what, " ", i)
			send(t, q, text)
			send(t, q, text, leanmq.OrderingKey(what), leanmq.Unique(text), leanmq.KeepResult(time.Hour))
			send(t, q, text, leanmq.Priority(leanmq.Level(k-1)), leanmq.Delay(time.Duration(i)*50*time.Millisecond))
		}
	}
	send(t, q, "long")
	limited := mq.Queue("limited")
	sendMany(t, limited, 30)
	crashed, err := open(t, url).Queue("limited").Puller()
	if err != nil {
		t.Fatal(err)
	}
	defer crashed.Close()
	if ms, err := crashed.Receive(t.Context(), 5); err != nil || len(ms) != 5 {
		t.Fatal(ms, err)
	}
	eventually(t, "the long one runs", func() bool { return slices.Contains(got.payloads(), "long") })

	ballast := mq.Queue("ballast")
	for size := 256 << 10; size > 0; size /= 4 { // to the last byte
		blob := bytes.Repeat([]byte("x"), size)
		for err = nil; err == nil; {
			_, err = ballast.Send(t.Context(), blob)
		}
	}
	// What is handled makes room: from here on there is none all the same.
	limit := func(maxmemory string) {
		if err := c.ConfigSet(t.Context(), "maxmemory", maxmemory).Err(); err != nil {
			t.Fatal(err)
		}
	}
	limit("1mb")
	dead, waiting := info(t, q).Dead, info(t, ballast)
	sends := map[string][]leanmq.SendOption{
		"plain": nil, "id": {leanmq.ID("i")}, "delayed": {leanmq.Delay(time.Hour)},
		"ordered": {leanmq.OrderingKey("k")}, "unique": {leanmq.Unique("k")}, "unique for": {leanmq.UniqueFor("k", time.Hour)},
		"known level": {leanmq.Priority(leanmq.High)}, "new level": {leanmq.Priority(leanmq.Urgent)},
	}
	for what, opts := range sends {
		_, err := ballast.Send(t.Context(), []byte("x"), opts...)
		if !errors.Is(err, leanmq.ErrUnavailable) || errors.Is(err, leanmq.ErrUnknown) {
			t.Errorf("%s: %v, want unavailable, and not unknown", what, err)
		}
	}
	if _, err := ballast.SendMany(t.Context(), [][]byte{nil, nil}); !errors.Is(err, leanmq.ErrUnavailable) || errors.Is(err, leanmq.ErrUnknown) {
		t.Errorf("many: %v", err)
	}
	if i := info(t, ballast); i != waiting {
		t.Errorf("%+v were %+v: refused sends left something", i, waiting)
	}

	full.Store(true)
	// Consumers that begin now are no worse off: here, with limits and a takeover.
	var taken record
	for range 2 {
		consume(t, open(t, url).Queue("limited"), taken.done, leanmq.Lease(300*time.Millisecond))
	}
	consume(t, open(t, url).Queue("q"), handle, opts...)
	if err := limited.SetLimits(t.Context(), leanmq.Limits{Running: 2, Rate: 1000}); err != nil {
		t.Errorf("limits under a full memory: %v", err)
	}
	eventually(t, "all is handled", func() bool {
		i := info(t, q)
		return i.Ready+i.Scheduled+i.Blocked == 0 && i.InFlight == 1
	})
	becomesEmpty(t, limited)
	if n := info(t, q).Dead - dead; n != 3*each {
		t.Errorf("%d dead letters, want %d", n, 3*each)
	}
	runs := map[string]int{}
	for _, m := range got.list() {
		runs[m.Payload]++
	}
	for i := range each {
		for what, n := range map[string]int{"done": 3, "retry": 6, "dead": 3} {
			if name := fmt.Sprint(what, " ", i); runs[name] < n { // more where a lease ran out
				t.Errorf("%s was handled %d times, want %d", name, runs[name], n)
			}
		}
	}
	if n, err := q.RequeueAll(t.Context()); err != nil || n != 3*each {
		t.Errorf("requeued %d, %v", n, err)
	}
	eventually(t, "they are dead again", func() bool { i := info(t, q); return i.Dead == 3*each && i.Scheduled+i.Ready+i.Blocked == 0 })
	letGo()
	eventually(t, "the long one is done", func() bool { return info(t, q).InFlight == 0 })

	// Room again: all goes on.
	limit("40mb")
	if err := ballast.ForceDelete(t.Context()); err != nil {
		t.Fatal(err)
	}
	for what, opts := range sends {
		if _, err := ballast.Send(t.Context(), []byte(what), opts...); err != nil && !errors.Is(err, leanmq.ErrDuplicate) {
			t.Errorf("%s: %v", what, err)
		}
	}
	n := got.count()
	send(t, q, "done again")
	got.wait(t, n+1)
	if err := old.Stop(); err != nil {
		t.Error(err)
	}
}
