package leanmq

import (
	"context"
	"slices"

	"github.com/leanmq/leanmq/internal/store"
)

// turns takes messages from the levels of a queue in their turns. Whoever takes
// does not know what the levels have: it plans with what it was told at the last
// take, and only what came counts as a turn.
type turns struct {
	levels []*source // the most urgent first
	queues []*store.Queue
	more   []bool // whether the level is known to have messages, or not known not to
	pick   picker
	due    []int // of the last take, those whose turn it was before more urgent ones
}

func newTurns(levels []*source, weights [slots]int) turns {
	t := turns{pick: picker{weights: weights}, levels: mostUrgentFirst(levels)}
	for _, s := range t.levels {
		t.queues, t.more, t.due = append(t.queues, s.q), append(t.more, true), append(t.due, 0)
	}
	return t
}

// mostUrgentFirst sorts the sources of one queue.
func mostUrgentFirst(levels []*source) []*source {
	if len(levels) == 1 {
		return levels
	}
	return slices.SortedFunc(slices.Values(levels), func(a, b *source) int {
		return slices.Index(byUrgency[:], a.level) - slices.Index(byUrgency[:], b.level)
	})
}

// take takes as many messages as there is room for, room[i] being that for level i
// and those before it; got has them by level.
func (t *turns) take(ctx context.Context, c *Client, consumer string, room []int) (got [][]store.Entry, taken store.Taken, err error) {
	w := store.Wanted{Most: room[0], UpTo: room}
	if len(t.levels) > 1 {
		try := t.pick
		w.Plan = t.plan(&try, room, room[0])
	}
	got = make([][]store.Entry, len(t.levels))
	n := 0
	taken, err = c.s.Take(ctx, consumer, t.queues, w, func(level int, e store.Entry) {
		got[level] = append(got[level], e)
		n++
	})
	if len(t.levels) > 1 {
		t.plan(&t.pick, room, n)
	}
	for i := range t.more {
		t.more[i] = i >= len(taken.More) || taken.More[i]
	}
	return got, taken, err
}

// plan writes down whose turn it is for each of n messages.
func (t *turns) plan(pick *picker, room []int, n int) string {
	var more [slots]bool
	var left, position [slots]int
	for i, s := range t.levels {
		more[s.level], left[s.level], position[s.level] = t.more[i], room[i], i
	}
	has := func(level int) bool { return more[level] }
	may := func(level int) bool { return more[level] && left[level] > 0 }
	plan := make([]byte, 0, n)
	clear(t.due)
	for len(plan) < n {
		level := pick.level(has, may)
		if level < 0 {
			break
		}
		plan = append(plan, '0'+byte(position[level]))
		if slices.ContainsFunc(t.levels[:position[level]], func(s *source) bool { return may(s.level) }) {
			t.due[position[level]]++
		}
		left[level]--
		for _, less := range lessUrgent(level) {
			left[less]--
		}
	}
	return string(plan)
}

// any reports whether a level that there is room for has messages.
func (t *turns) any(room []int) bool {
	for i, more := range t.more {
		if more && room[i] > 0 {
			return true
		}
	}
	return false
}
