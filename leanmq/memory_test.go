package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// While Redis' memory is full (noeviction) nothing can be sent, and what is there is
// handled and settled all the same, moves to other places included: else it could
// never become less.
func TestFullMemoryRefusesSendsAndSettles(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	q := open(t, server.URL()).Queue("q")
	raw := rawClient(t, server.URL())
	memory := func(bytes int) {
		t.Helper()
		if err := raw.ConfigSet(t.Context(), "maxmemory", fmt.Sprint(bytes)).Err(); err != nil {
			t.Fatal(err)
		}
	}
	const each = 5
	for i := range each {
		send(t, q, fmt.Sprint("done", i))
		send(t, q, fmt.Sprint("retry", i))
		send(t, q, fmt.Sprint("reject", i))
		send(t, q, fmt.Sprint("ordered", i), leanmq.OrderingKey("k"))
		send(t, q, fmt.Sprint("urgent", i), leanmq.Priority(leanmq.Urgent), leanmq.KeepResult(time.Minute))
		send(t, q, fmt.Sprint("unique", i), leanmq.Unique(fmt.Sprint(i)))
		send(t, q, fmt.Sprint("delayed", i), leanmq.Delay(20*time.Millisecond))
	}
	memory(1)

	before := info(t, q)
	for name, opts := range map[string][]leanmq.SendOption{
		"plain":   nil,
		"delayed": {leanmq.Delay(time.Hour)},
		"ordered": {leanmq.OrderingKey("k")},
		"unique":  {leanmq.Unique("new")},
		"once":    {leanmq.ID("new")},
	} {
		if _, err := q.Send(t.Context(), nil, opts...); !errors.Is(err, leanmq.ErrUnavailable) || errors.Is(err, leanmq.ErrUnknown) {
			t.Errorf("%s: %v, want ErrUnavailable and a known outcome", name, err)
		}
	}
	if _, err := q.SendMany(t.Context(), [][]byte{nil, nil}); !errors.Is(err, leanmq.ErrUnavailable) {
		t.Errorf("many: %v", err)
	}
	if after := info(t, q); after.Ready+after.Scheduled+after.Blocked != before.Ready+before.Scheduled+before.Blocked {
		t.Errorf("%+v before the refused sends, %+v after them", before, after)
	}

	var got record
	consume(t, q, func(ctx context.Context, m *leanmq.Message) error {
		got.add(m)
		switch {
		case strings.HasPrefix(string(m.Payload), "retry") && m.Attempt == 1:
			return errors.New("not yet")
		case strings.HasPrefix(string(m.Payload), "reject"):
			return leanmq.Reject(nil)
		}
		return nil
	}, quick)
	eventually(t, "all is settled", func() bool {
		i := info(t, q)
		return i.Ready+i.InFlight+i.Scheduled+i.Blocked == 0 && i.Dead == each
	})
	if all := got.wait(t, 8*each); len(all) != 8*each {
		t.Errorf("%d runs, want one each and another one for each retry", len(all))
	}
	var ordered []string
	for _, p := range got.payloads() {
		if strings.HasPrefix(p, "ordered") {
			ordered = append(ordered, p)
		}
	}
	if !slices.IsSorted(ordered) {
		t.Errorf("out of order: %v", ordered)
	}

	memory(0)
	id := send(t, q, "again", leanmq.Unique("new"), leanmq.KeepResult(time.Minute))
	if r, err := q.Result(t.Context(), id); err != nil || r.Status != leanmq.ResultDone {
		t.Errorf("%+v, %v", r, err)
	}
	becomesEmptyButDead(t, q, each)
}

// becomesEmptyButDead checks that the queue ends up with nothing but dead letters.
func becomesEmptyButDead(t testing.TB, q *leanmq.Queue, dead int64) {
	t.Helper()
	eventually(t, "only dead letters are left", func() bool {
		i := info(t, q)
		return i.Ready+i.InFlight+i.Scheduled+i.Blocked == 0 && i.Dead == dead
	})
}

// A server that forgets the scripts between any two commands harms nothing.
func TestForgottenScriptsHarmNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	q := open(t, server.URL()).Queue("q")
	raw := rawClient(t, server.URL())
	ctx, cancel := context.WithCancel(t.Context())
	forgotten := make(chan struct{})
	go func() {
		defer close(forgotten)
		for ctx.Err() == nil {
			raw.ScriptFlush(ctx)
		}
	}()
	seq := newSequence()
	fail := func(m *leanmq.Message) bool { return m.Attempt == 1 }
	consume(t, open(t, server.URL()).Queue("q"), seq.handle(fail), quick)
	var want []string
	for i := range 50 {
		send(t, q, fmt.Sprint(i), leanmq.OrderingKey("k"), leanmq.WithHeader("key", "k"), leanmq.ID(fmt.Sprint(i)))
		if _, err := q.Send(t.Context(), nil, leanmq.ID(fmt.Sprint(i))); !errors.Is(err, leanmq.ErrDuplicate) {
			t.Errorf("again: %v", err)
		}
		want = append(want, fmt.Sprint(i))
	}
	becomesEmpty(t, q)
	cancel()
	<-forgotten
	if got := seq.done["k"]; !slices.Equal(got, want) {
		t.Errorf("handled: %v", got)
	}
}
