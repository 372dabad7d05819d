package mqtest

import (
	"context"
	"testing"

	"github.com/leanmq/leanmq/leanmq"
)

// Sender is a queue, with partitions or without.
type Sender interface {
	Send(ctx context.Context, payload []byte, opts ...leanmq.SendOption) (id string, err error)
}

// Send sends a text and returns the message's id.
func Send(t testing.TB, q Sender, text string, opts ...leanmq.SendOption) string {
	t.Helper()
	id, err := q.Send(t.Context(), []byte(text), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Info is what the queue holds.
func Info(t testing.TB, q *leanmq.Queue) leanmq.QueueInfo {
	t.Helper()
	i, err := q.Info(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// DeadLetters are all dead letters of the queue.
func DeadLetters(t testing.TB, q *leanmq.Queue) []*leanmq.DeadLetter {
	t.Helper()
	var out []*leanmq.DeadLetter
	for d, err := range q.DeadLetters(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, d)
	}
	return out
}
