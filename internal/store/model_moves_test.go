package store_test

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

// append adds a message to its stream.
func (m *model) append(x *msg) {
	x.place, x.entry, x.owner, x.deliveries = isReady, "", "", 0
	m.streams[x.level] = append(m.streams[x.level], x)
	m.based = m.based || x.level == 0
}

// enqueue adds a message behind those with its ordering key.
func (m *model) enqueue(x *msg) {
	switch {
	case x.key == "":
		m.append(x)
	case m.active[x.key] == nil:
		m.active[x.key] = x
		m.append(x)
	default:
		x.place, x.entry = isBlocked, ""
		m.lanes[x.key] = append(m.lanes[x.key], x)
	}
}

// leave takes a message out of its stream.
func (m *model) leave(x *msg) { m.streams[x.level] = without(m.streams[x.level], x) }

// end is what the end of a message's life means for others.
func (m *model) end(x *msg, to place, status, result string) {
	x.place = to
	if x.keep && status != "" {
		m.results[x.id] = status + " " + result
	}
	if x.unique != "" && m.unique[x.unique] == x.id {
		delete(m.unique, x.unique)
	}
	if x.key == "" || m.active[x.key] != x {
		return
	}
	delete(m.active, x.key)
	if lane := m.lanes[x.key]; len(lane) > 0 {
		m.lanes[x.key] = lane[1:]
		m.active[x.key] = lane[0]
		m.append(lane[0])
	}
}

func (m *model) bury(x *msg, reason, err string, attempts int) {
	m.leave(x)
	x.hasID, x.hasTime, x.tried = true, true, true
	x.reason, x.err, x.attempts, x.entry = reason, err, attempts, ""
	m.dead = append(m.dead, x)
	m.end(x, isDead, "dead", err)
}

// waiting is how many messages count against a queue's limit.
func (m *model) waiting() int {
	return len(m.in(isReady, isInFlight, isScheduled, isBlocked))
}

// send returns what a send on terms comes to; x is part of the model when
// it was accepted.
func (m *model) send(x *msg, terms store.SendTerms, keys ...string) (dup string, full bool) {
	for _, key := range keys {
		if first, ok := m.remembered[key]; ok {
			return first, false
		}
	}
	if first, ok := m.unique[x.unique]; ok && x.unique != "" {
		return first, false
	}
	if terms.Limit > 0 && m.waiting() >= terms.Limit {
		return "", true
	}
	if x.level > 0 && !strings.Contains(m.levels, strconv.Itoa(x.level)) {
		m.levels += strconv.Itoa(x.level)
		m.version++
	}
	later := terms.Delay > 0 || !terms.Due.IsZero()
	x.hasTime = later || x.key != ""
	if !later && terms.Limit == 0 && x.level == 0 { // once.lua
		x.hasTime = x.key != "" && m.active[x.key] != nil
	}
	x.hasID = x.id != "" || x.hasTime
	m.all = append(m.all, x)
	if later {
		x.place, x.entry, x.dueAfter = isScheduled, "", terms.Delay
		if terms.Delay == 0 {
			x.due = terms.Due.UnixMilli()
		}
		m.delayed = append(m.delayed, x)
	} else {
		m.enqueue(x)
	}
	return "", false
}

// sent learns the id of an accepted message.
func (m *model) sent(x *msg, id string, keys ...string) {
	x.id = id
	if x.unique != "" {
		m.unique[x.unique] = id
	}
	for _, key := range keys {
		m.remembered[key] = id
	}
}

func (m *model) promote(most int) {
	slices.SortFunc(m.delayed, func(a, b *msg) int {
		return cmp.Or(cmp.Compare(a.due, b.due), strings.Compare(a.entry, b.entry))
	})
	for range most {
		if len(m.delayed) == 0 || m.delayed[0].due > time.Now().Add(time.Minute).UnixMilli() {
			return
		}
		x := m.delayed[0]
		m.delayed = m.delayed[1:]
		if x.tried { // it kept its place
			m.append(x)
		} else {
			m.enqueue(x)
		}
	}
}

// read delivers up to n messages of a level.
func (m *model) read(level int, w string, n int) []*msg {
	var out []*msg
	for _, x := range m.streams[level] {
		if x.place == isReady && len(out) < n {
			x.place, x.owner, x.deliveries = isInFlight, w, 1
			m.last[level] = x.entry
			out = append(out, x)
		}
	}
	return out
}

// take is read as far as the limits allow: first what the plan says, then whatever
// there is.
func (m *model) take(levels []int, h string, w store.Wanted) (why string, got [][]*msg) {
	n := w.Most
	if m.paused {
		return "paused", nil
	}
	if m.limits.Running > 0 {
		n = min(n, m.limits.Running-len(m.in(isInFlight)))
		if n <= 0 && slices.ContainsFunc(m.in(isInFlight), func(x *msg) bool { return x.owner == "released" }) {
			return "returned", nil
		}
		if n <= 0 {
			return "running", nil
		}
	}
	if m.limits.Rate > 0 { // 1 an hour: none comes back during a test
		m.rated = min(m.rated, m.limits.Burst)
		n = min(n, m.limits.Burst-m.rated)
		if n <= 0 {
			return "rate", nil
		}
	}
	got = make([][]*msg, len(levels))
	left := n
	take := func(k, n int) {
		read := m.read(levels[k], h, n)
		got[k] = append(got[k], read...)
		left -= len(read)
	}
	plan := w.Plan[:min(n, len(w.Plan))]
	for k := range levels {
		take(k, strings.Count(plan, strconv.Itoa(k)))
	}
	before := 0
	for k := range levels {
		take(k, max(min(left, w.UpTo[k]-before-len(got[k])), 0))
		before += len(got[k])
	}
	if m.limits.Rate > 0 {
		m.rated += n - left
	}
	if left == n && (len(levels) == 1 || !slices.ContainsFunc(levels, m.hasReady)) {
		return "empty", got
	}
	return "", got
}

func (m *model) hasReady(level int) bool {
	return slices.ContainsFunc(m.streams[level], func(x *msg) bool { return x.place == isReady })
}

// requeue gives dead letters a new life.
func (m *model) requeue(xs []*msg) {
	for _, x := range xs {
		m.dead = without(m.dead, x)
		x.hasTime, x.tried, x.attempts, x.err, x.reason = false, false, 0, "", ""
		if holder := m.unique[x.unique]; x.unique != "" && holder != "" {
			x.unique = ""
		} else if x.unique != "" {
			m.unique[x.unique] = x.id
		}
		m.enqueue(x)
	}
}

func (m *model) purge(xs []*msg) {
	for _, x := range slices.Clone(xs) {
		m.dead = without(m.dead, x)
		x.place = isGone
	}
}

// cancel reports whether the message with this id is found and removed. It is
// where the id is its token, or comes from its entry.
func (m *model) cancel(id string) bool {
	end := func(x *msg) bool {
		m.counted["canceled"]++
		m.end(x, isGone, "canceled", "")
		return true
	}
	for _, x := range m.delayed {
		if x.entry == id && x.id == id {
			m.delayed = without(m.delayed, x)
			return end(x)
		}
	}
	for _, level := range slices.Sorted(maps.Keys(m.streams)) {
		for _, x := range m.streams[level] {
			if x.id == id && !x.hasID && (x.place == isReady || x.owner == "released") {
				m.leave(x)
				return end(x)
			}
		}
	}
	m.canceled[id] = true
	m.version++
	return false
}
