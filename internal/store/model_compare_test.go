package store_test

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

// learn tells the model what only Redis can know: ids of entries, tokens of
// retries and the times at which they are due.
func (m *model) learn(s *seen) (problems []string) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	entries := func(list []*msg, raw []rawEntry) {
		for i, x := range list {
			if x.entry == "" && i < len(raw) && raw[i].payload == x.name {
				x.entry = raw[i].id
			}
		}
	}
	for level, list := range m.streams {
		entries(list, s.streams[level])
		for _, x := range list {
			id := x.entry
			if level > 0 {
				id += ".p" + strconv.Itoa(level)
			}
			if !x.hasID && x.id != id {
				wrong("%s was sent as %s and is %s", x, x.id, id)
			}
		}
	}
	entries(m.dead, s.dead)
	for _, x := range m.delayed {
		z, ok := s.tokens[x.name]
		if !ok {
			continue
		}
		if x.entry == "" {
			x.entry, _ = z.Member.(string)
		}
		if x.due == 0 {
			x.due = int64(z.Score)
			if off := time.Until(time.UnixMilli(x.due)) - x.dueAfter; off.Abs() > time.Minute {
				wrong("%s is due %v too late", x, off)
			}
		}
	}
	return problems
}

// lines are what look must find.
func (m *model) lines(q *store.Queue) []string {
	s := &seen{}
	for _, level := range modelLevels {
		released := false
		for _, x := range m.streams[level] {
			owner := ""
			if x.place == isInFlight {
				owner = fmt.Sprintf("%s, delivery %d", x.owner, x.deliveries)
				released = released || x.owner == "released"
			}
			s.line("stream %d: %s %s (%s)", level, x.entry, x.fields(), owner)
		}
		for w := range m.consumers[level] {
			s.line("consumer %d: %s", level, w)
		}
		if released {
			s.line("consumer %d: released", level)
		}
	}
	for _, x := range m.dead {
		s.line("dead: %s %s", x.entry, x.fields())
	}
	for _, x := range m.delayed {
		s.line("scheduled: %s at %d", x.entry, x.due)
		s.line("body: %s %s", x.entry, x.fields())
	}
	blocked := 0
	for key, lane := range m.lanes {
		for i, x := range lane {
			s.line("lane %s: %d. %s", key, i, x.fields())
			blocked++
		}
	}
	for key := range m.active {
		s.line("under way: %s", key)
	}
	for key, id := range m.unique {
		s.line("unique: %s %s", key, id)
	}
	for w, epoch := range m.epochs {
		s.line("epoch: %s %s", w, epoch)
	}
	for id := range m.canceled {
		s.line("canceled: %s", id)
	}
	for key, id := range m.remembered {
		s.line("value: %s %s", key, id)
	}
	for id, end := range m.results {
		s.line("value: %s %s", q.Result(id), end)
	}
	meta := func(name string, n int) {
		if n != 0 {
			s.line("meta: %s %d", name, n)
		}
	}
	meta("blocked", blocked)
	meta("@version", m.version)
	meta("running", m.limits.Running)
	meta("rate", m.limits.Rate)
	meta("per", int(m.limits.Per.Microseconds()))
	meta("burst", m.limits.Burst)
	for name, n := range m.counted {
		meta(name, n)
	}
	if m.paused {
		meta("paused", 1)
	}
	if m.levels != "" {
		s.line("meta: levels %s", m.levels)
	}
	return s.lines
}

// differences are the lines that only one of them has. The order of entries and
// letters is that of their ids.
func differences(want, got []string) []string {
	want, got = slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))
	var out []string
	for len(want)+len(got) > 0 {
		switch {
		case len(got) == 0 || len(want) > 0 && want[0] < got[0]:
			out = append(out, "  should be:  "+want[0])
			want = want[1:]
		case len(want) == 0 || got[0] < want[0]:
			out = append(out, "  is:         "+got[0])
			got = got[1:]
		default:
			want, got = want[1:], got[1:]
		}
	}
	return out
}
