package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// Each group gets all messages of all partitions once, those with one key in order,
// and its members share the partitions out among themselves.
func TestGroupsShareThePartitionsOfATopic(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const n, keys, each = 4, 8, 20
		topic := open(t, url).PartitionedTopic("svc:events", n)
		groups := []string{"billing", "search"}
		var mu sync.Mutex
		last := map[string]int{}
		all := map[string]int{}
		handler := func(group string) leanmq.Handler {
			return func(_ context.Context, m *leanmq.Message) error {
				mu.Lock()
				defer mu.Unlock()
				all[group]++
				if key := m.Header.Get("key"); key != "" {
					if i := atoi(t, string(m.Payload)); i != last[group+key]+1 {
						t.Errorf("%s: %s of %s comes after %d", group, m.Payload, key, last[group+key])
					}
					last[group+key]++
				}
				return nil
			}
		}
		has := map[string]*shares{}
		for _, group := range groups {
			has[group] = &shares{}
			for i := range 2 {
				g := open(t, url, has[group].member(i)).PartitionedTopic("svc:events", n).Group(group)
				consumePartitions(t, g.Queue(), handler(group))
			}
		}
		for i := 1; i <= each; i++ {
			for k := range keys {
				key := fmt.Sprint("k", k)
				if _, err := topic.Publish(t.Context(), fmt.Append(nil, i), leanmq.OrderingKey(key), leanmq.WithHeader("key", key)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := topic.PublishMany(t.Context(), numbers(40)); err != nil {
			t.Fatal(err)
		}
		for _, group := range groups {
			eventually(t, group+" has handled all", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return all[group] >= keys*each+40
			})
			eventually(t, group+" has equal shares", func() bool { return has[group].even(2, n) })
			partitionsBecomeEmpty(t, topic.Group(group).Queue())
			if got := partitions(t, topic.Group(group).Queue()).Members; len(got) != 2 {
				t.Errorf("members of %s: %q", group, got)
			}
		}
		mu.Lock()
		if all["billing"] != keys*each+40 || all["search"] != keys*each+40 {
			t.Errorf("handled: %v", all)
		}
		mu.Unlock()

		other := open(t, url).PartitionedTopic("svc:events", n+1)
		var wrong *leanmq.PartitionsError
		if _, err := other.Publish(t.Context(), nil); !errors.As(err, &wrong) || wrong.Fixed != n {
			t.Errorf("publishing with another number: %v", err)
		}
		if err := other.Group("new").Consume(t.Context(), handler("new")); !errors.As(err, &wrong) || wrong.Fixed != n {
			t.Errorf("consuming with another number: %v", err)
		}
		_, err := topic.Publish(t.Context(), nil, leanmq.Delay(1e9))
		isInvalid(t, err, "Delay")

		// A group that comes later begins where it says.
		var r record
		late := topic.Group("late")
		c := consumePartitions(t, late.Queue(), r.done, leanmq.StartAt(leanmq.FromNow()))
		eventually(t, "it consumes all partitions", func() bool {
			for _, p := range partitions(t, late.Queue()).Partitions {
				if p.Consumers == 0 {
					return false
				}
			}
			return true
		})
		if _, err := topic.PublishMany(t.Context(), numbers(n)); err != nil {
			t.Fatal(err)
		}
		r.wait(t, n)
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		if r.count() != n {
			t.Errorf("the late group had %d messages, want %d", r.count(), n)
		}
	})
}

func TestPartitionedTopicOutOfBounds(t *testing.T) {
	mq := open(t, "mem://")
	for field, topic := range map[string]*leanmq.PartitionedTopic{
		"partitions": mq.PartitionedTopic("events", 0),
		"topic name": mq.PartitionedTopic("a{b}", 2),
	} {
		_, err := topic.Publish(t.Context(), nil)
		isInvalid(t, err, field)
		isInvalid(t, topic.Group("g").Consume(t.Context(), (&record{}).done), field)
	}
	isInvalid(t, mq.PartitionedTopic("events", 2).Group("a:b").Consume(t.Context(), (&record{}).done), "group name")
}
