package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

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
