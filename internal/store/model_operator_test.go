package store_test

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/leanmq/leanmq/internal/store"
)

func (x *machine) requeue(t *rapid.T) step {
	var xs []*msg
	first := rapid.IntRange(0, len(x.m.dead)-1).Draw(t, "first")
	last := rapid.IntRange(first, len(x.m.dead)-1).Draw(t, "last")
	xs = slices.Clone(x.m.dead[first : last+1])
	if rapid.Bool().Draw(t, "each") {
		return step{"each of " + msgNames(xs), func() {
			ids, want := []string{"1-1"}, []bool{false}
			for _, m := range xs {
				ids, want = append(ids, m.entry), append(want, true)
			}
			ids, want = append(ids, ids[1]), append(want, false) // there only once
			moved, err := x.q.RequeueEach(x.ctx, ids)
			x.noError(err)
			x.same("moved", moved, want)
			x.m.requeue(xs)
		}}
	}
	n := rapid.IntRange(1, 4).Draw(t, "n")
	return step{fmt.Sprintf("up to %d from %s to %s", n, xs[0], xs[len(xs)-1]), func() {
		from, to := xs[0].entry, xs[len(xs)-1].entry
		if first == 0 {
			from = "-"
		}
		xs = xs[:min(n, len(xs))]
		moved, upTo, err := x.calls.requeue(from, to, n)
		x.noError(err)
		x.same("moved", fmt.Sprint(moved, upTo), fmt.Sprint(len(xs), xs[len(xs)-1].entry))
		x.m.requeue(xs)
	}}
}

func (x *machine) purge(t *rapid.T) step {
	last := rapid.IntRange(0, len(x.m.dead)-1).Draw(t, "last")
	m := x.m.dead[last]
	if rapid.Bool().Draw(t, "one") {
		return step{m.name, func() {
			n, err := x.q.DeleteDead(x.ctx, []string{m.entry, "1-1"})
			x.noError(err)
			x.same("deleted", n, 1)
			x.m.purge([]*msg{m})
		}}
	}
	return step{"up to " + m.name, func() {
		n, err := x.q.PurgeDead(x.ctx, m.entry)
		x.noError(err)
		x.same("deleted", n, last+1)
		x.m.purge(x.m.dead[:last+1])
	}}
}

func (x *machine) cancel(t *rapid.T) step {
	m := drawOne(t, x.m.all)
	if here := x.m.in(isBlocked, isReady, isInFlight, isScheduled, isDead); len(here) > 0 && rapid.Bool().Draw(t, "here") {
		m = drawOne(t, here)
	}
	id, text := m.id, m.name+" ("+string(m.place)+")"
	if rapid.IntRange(0, 9).Draw(t, "unknown") == 0 {
		id, text = "unknown", "an unknown id"
	}
	return step{text, func() {
		out, err := x.q.Cancel(x.ctx, id)
		x.noError(err)
		x.same("removed", out.Removed, x.m.cancel(id))
		marks, all, err := x.q.Marks(x.ctx, 0)
		x.noError(err)
		x.same("marked", fmt.Sprint(len(marks), all), fmt.Sprint(len(x.m.canceled), len(x.m.canceled)))
	}}
}

func (x *machine) remove(t *rapid.T) step {
	m := drawOne(t, x.m.in(isReady))
	return step{m.name, func() {
		for range 2 { // the second time as after a lost reply
			x.noError(x.q.Level(m.level).Remove(x.ctx, m.entry))
		}
		x.m.leave(m)
		x.m.end(m, isGone, "", "")
	}}
}

func (x *machine) set(t *rapid.T) step {
	switch what := drawOne(t, []string{"paused", "running", "rate", "lifted", "script flush", "delete"}); what {
	case "paused":
		return step{fmt.Sprintf("paused: %t", !x.m.paused), func() { x.setPaused(!x.m.paused) }}
	case "running":
		n := rapid.IntRange(1, 4).Draw(t, "n")
		return step{fmt.Sprintf("limit: %d running", n), func() { x.setLimits(store.Limits{Running: n}) }}
	case "rate":
		n := rapid.IntRange(1, 4).Draw(t, "n")
		return step{fmt.Sprintf("limit: 1 an hour, burst %d", n), func() {
			x.setLimits(store.Limits{Rate: 1, Per: time.Hour, Burst: n})
		}}
	case "lifted":
		return step{"no limits", func() { x.setLimits(store.Limits{}) }}
	case "delete":
		return step{"delete what is not empty", func() {
			if n := x.m.waiting() + len(x.m.dead); n > 0 {
				left, err := x.q.Delete(x.ctx, false)
				x.noError(err)
				x.same("left", left, n)
			}
		}}
	default:
		return step{what, func() { x.noError(x.raw.ScriptFlush(x.ctx).Err()) }}
	}
}

func (x *machine) setPaused(paused bool) {
	x.noError(x.q.SetPaused(x.ctx, paused))
	if x.m.paused != paused {
		x.m.paused = paused
		x.m.version++
	}
}

func (x *machine) setLimits(l store.Limits) {
	x.noError(x.q.SetLimits(x.ctx, l))
	if x.m.limits != l {
		x.m.limits = l
		x.m.version++
	}
	c, err := x.q.Control(x.ctx)
	x.noError(err)
	x.same("settings", fmt.Sprintf("%+v", c), fmt.Sprintf("%+v", store.Control{
		Version: int64(x.m.version), Paused: x.m.paused, Levels: x.levels()[1:], Limits: l,
	}))
}
