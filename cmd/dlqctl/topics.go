package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/leanmq/leanmq/leanmq"
)

var topicsCommand = command{
	name:  "topics",
	short: "list all topics, their groups and who is behind",
	long: `Lists all topics by name with the number of messages that are retained, and each
topic's groups with the number of messages that the group has not read (LAG), that
are in flight (with a worker), scheduled (waiting to be retried) and dead. A group
that keeps messages from being trimmed, which the topic's retention would not keep,
"blocks retention". Where there are any, it also shows how many messages the
retention dropped before a group was done with them.

The queue of what is a group's own is called service:topic:group, for the other
commands.
`,
	run: listing[leanmq.TopicInfo]{"topics", (*leanmq.Client).Topics, topicTable}.list,
}

func topicTable(infos []leanmq.TopicInfo) *table {
	has := func(cond func(leanmq.TopicInfo, leanmq.GroupInfo) bool) bool {
		return slices.ContainsFunc(infos, func(i leanmq.TopicInfo) bool {
			return slices.ContainsFunc(i.Groups, func(g leanmq.GroupInfo) bool { return cond(i, g) })
		})
	}
	dropped := has(func(_ leanmq.TopicInfo, g leanmq.GroupInfo) bool { return g.Dropped > 0 })
	stated := has(func(i leanmq.TopicInfo, g leanmq.GroupInfo) bool { return groupState(i, g) != "" })
	t := &table{
		head:  []string{"TOPIC", "LENGTH", "GROUP", "LAG", "IN FLIGHT", "SCHEDULED", "DEAD", "CONSUMERS"},
		right: []int{1, 3, 4, 5, 6, 7},
	}
	if dropped {
		t.right = append(t.right, len(t.head))
		t.head = append(t.head, "DROPPED")
	}
	if stated {
		t.head = append(t.head, "STATE")
	}
	for _, i := range infos {
		length := strconv.FormatInt(i.Length, 10)
		if len(i.Groups) == 0 {
			row := make([]string, len(t.head))
			row[0], row[1] = i.Name, length
			t.add(row...)
		}
		for _, g := range i.Groups {
			lag := strconv.FormatInt(g.Lag, 10)
			if g.LagMore {
				lag = ">" + lag
			}
			row := counts([]string{i.Name, length, g.Name, lag}, g.InFlight, g.Scheduled, g.Dead, g.Consumers)
			if dropped {
				row = counts(row, g.Dropped)
			}
			if stated {
				row = append(row, groupState(i, g))
			}
			t.add(row...)
		}
	}
	return t
}

func groupState(i leanmq.TopicInfo, g leanmq.GroupInfo) string {
	var states []string
	if slices.Contains(i.Blocking, g.Name) {
		states = append(states, "blocks retention")
	}
	if g.Paused {
		states = append(states, "paused")
	}
	return strings.Join(states, ", ")
}
