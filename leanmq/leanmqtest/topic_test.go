package leanmqtest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/leanmqtest"
)

// A group of a topic is drained like a queue: what is new, what waits for its ordering
// key, and retries.
func TestDrainOfAGroup(t *testing.T) {
	t.Parallel()
	mq := leanmqtest.New(t)
	topic := mq.Topic("events")
	for _, text := range []string{"1", "2", "3"} {
		if _, err := topic.Publish(t.Context(), []byte(text), leanmq.Type("a."+text), leanmq.OrderingKey("k")); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	h := func(_ context.Context, m *leanmq.Message) error {
		if got = append(got, string(m.Payload)); string(m.Payload) == "1" && m.Attempt == 1 {
			return leanmq.RetryAfter(time.Hour, errors.New("later"))
		}
		return nil
	}
	group := topic.Group("g").Queue()
	mq.Drain(group, h, leanmq.Types("a.1", "a.3"))
	mq.Advance(2 * time.Hour)
	mq.Drain(group, h)
	if want := []string{"1", "1", "3"}; !slices.Equal(got, want) {
		t.Errorf("handled %v, want %v", got, want)
	}
}
