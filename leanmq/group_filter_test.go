package leanmq_test

import (
	"slices"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestLatestFilterWins(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		g := topic.Group("g")
		var r record
		c := consume(t, g.Queue(), r.done, leanmq.Types("a"))
		eventually(t, "the filter is set", func() bool {
			i, err := g.Info(t.Context())
			return err == nil && slices.Equal(i.Types, []string{"a"})
		})
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		// Many that do not match, and none that does, must not look like the end.
		publishMany(t, topic, 2500, leanmq.Type("a"))
		publish(t, topic, "end", leanmq.Type("b"))
		c = consume(t, g.Queue(), r.done, leanmq.Types("b"))
		if got := r.wait(t, 1); got[0].Payload != "end" {
			t.Errorf("%v", got)
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		publish(t, topic, "all", leanmq.Type("a"))
		consume(t, g.Queue(), r.done, leanmq.Types("#"))
		r.wait(t, 2)
		becomesEmpty(t, g.Queue())
		if i, err := g.Info(t.Context()); err != nil || i.Types != nil || int(i.Filtered) != 2500 {
			t.Errorf("%+v, %v", i, err)
		}
	})
}

// A puller looks at the settings again whenever they change. That is no new start.
func TestPullerLeavesALaterFilter(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		g := topic.Group("g")
		publish(t, topic, "1", leanmq.Type("a"))
		older := newPuller(t, g.Queue(), leanmq.Types("a"))
		pull(t, older, 1)
		publish(t, topic, "2", leanmq.Type("b"))
		newer := newPuller(t, g.Queue(), leanmq.Types("b"))
		pull(t, newer, 1)
		publish(t, topic, "3", leanmq.Type("b"))
		if ms := pull(t, older, 1); string(ms[0].Payload) != "3" {
			t.Errorf("%s", ms[0].Payload)
		}
		if i, err := g.Info(t.Context()); err != nil || !slices.Equal(i.Types, []string{"b"}) || i.Filtered != 0 {
			t.Errorf("%+v, %v", i, err)
		}
	})
}
