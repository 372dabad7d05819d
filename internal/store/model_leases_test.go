package store_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/leanmq/leanmq/internal/store"
)

func (x *machine) read(t *rapid.T) step {
	h, n := x.hand(t), rapid.IntRange(1, 4).Draw(t, "n")
	return step{fmt.Sprintf("%s, up to %d of each level", h.name, n), func() {
		x.join(h)
		var qs []*store.Queue
		for _, level := range x.levels() {
			qs = append(qs, x.q.Level(level))
		}
		var got []store.Entry
		epoch := h.epoch
		x.noError(x.calls.read(h, qs, n, func(_ int, e store.Entry) { got = append(got, e) }))
		var want []*msg
		for _, level := range x.levels() {
			want = append(want, x.m.read(level, h.name, n)...)
		}
		x.delivered(h, epoch, got, want)
	}}
}

func (x *machine) take(t *rapid.T) step {
	h, levels := x.hand(t), x.levels()
	if rapid.Bool().Draw(t, "reversed") {
		slices.Reverse(levels)
	}
	w := store.Wanted{Most: rapid.IntRange(1, 5).Draw(t, "most")}
	for range levels {
		w.UpTo = append(w.UpTo, rapid.IntRange(0, w.Most).Draw(t, "up to"))
	}
	w.UpTo[0] = w.Most // the most urgent one may have all
	for range rapid.IntRange(0, w.Most).Draw(t, "planned") {
		w.Plan += strconv.Itoa(rapid.IntRange(0, len(levels)-1).Draw(t, "plan"))
	}
	return step{fmt.Sprintf("%s, levels %v, %+v", h.name, levels, w), func() {
		x.join(h)
		var qs []*store.Queue
		for _, level := range levels {
			qs = append(qs, x.q.Level(level))
		}
		var got []store.Entry
		epoch := h.epoch
		taken, err := x.s.Take(x.ctx, h.name, qs, w, func(level int, e store.Entry) {
			x.same("level of "+string(e.Payload), levels[level], int(e.Level))
			got = append(got, e)
		})
		x.noError(err)
		why, want := x.m.take(levels, h.name, w)
		x.same("why there is no more", taken.Why, why)
		x.same("a time to wait", taken.Wait > 0, why == "rate")
		x.delivered(h, epoch, got, slices.Concat(want...))
		for i, last := range taken.Last {
			if last == "0" { // miniredis
				last = "0-0"
			}
			if last != "" || why == "empty" {
				x.same("last one delivered", last, x.m.last[levels[i]])
			}
			x.same("there is more", taken.More[i], len(levels) > 1 && x.m.hasReady(levels[i]))
		}
	}}
}

// settle judges some of what a worker believes to hold, in one settlement.
func (x *machine) settle(t *rapid.T) step {
	h, level, some := x.holder(t)
	var texts []string
	st := store.Settlement{}
	for _, o := range some {
		verdict := drawOne(t, []string{"done", "retry now", "retry in an hour", "dead", "dead"})
		if x.m.canceled[o.id] {
			verdict = "done" // dropped, as its worker would
		}
		judge(&st, o, verdict, x.m.canceled[o.id])
		texts = append(texts, o.name+" "+verdict)
	}
	text := h.name + ": " + strings.Join(texts, ", ")
	return step{text, func() {
		h.last = &settling{level, st, text}
		h.forget(some)
		x.settled(h)
	}}
}

// judge does what settlement in leanmq/settle.go does.
func judge(st *store.Settlement, o *holding, verdict string, canceled bool) {
	switch {
	case verdict == "retry now" || verdict == "retry in an hour":
		r := store.Retry{ID: o.entry, Attempts: o.attempts + 1, Error: "boom"}
		if verdict != "retry now" {
			r.Delay = time.Hour
		}
		st.Retries = append(st.Retries, r)
	case verdict == "dead":
		st.Dead = append(st.Dead, store.Dead{ID: o.entry, Reason: "rejected", Attempts: o.attempts + 1, Error: "no"})
	case o.key != "" || o.unique != "" || o.keep || canceled:
		f := store.Finished{
			ID: o.entry, Epoch: o.epoch, MessageID: o.id, OrderKey: o.key, UniqueKey: o.unique,
		}
		if o.keep {
			f.Keep, f.Result = time.Hour, "result of "+o.name
		}
		if canceled {
			f.Counter, f.Result = "canceled", ""
		}
		st.Finished = append(st.Finished, f)
	default:
		n := len(st.Done)
		if n == 0 || st.Done[n-1].Epoch != o.epoch {
			st.Done = append(st.Done, store.Done{Epoch: o.epoch})
			n++
		}
		st.Done[n-1].IDs = append(st.Done[n-1].IDs, o.entry)
	}
}

// settled sends the worker's last settlement.
func (x *machine) settled(h *hand) {
	x.t.Helper()
	out, err := x.calls.settle(x.q.Level(h.last.level), h.name, &h.last.st)
	x.noError(err)
	x.same("lost", out.Lost, x.m.settle(h.last.level, h.name, &h.last.st))
	x.same("epoch", out.Epoch, x.m.epochs[h.name])
	h.epoch = out.Epoch
}

func (x *machine) settleAgain(t *rapid.T) step {
	var hs []*hand
	for _, h := range x.hands {
		if h.last != nil {
			hs = append(hs, h)
		}
	}
	h := drawOne(t, hs)
	return step{h.last.text, func() { x.settled(h) }}
}

func (x *machine) renew(t *rapid.T) step {
	h, level, some := x.holder(t)
	return step{h.name + ": " + holdingNames(some), func() {
		var ids, lost []string
		for _, o := range some {
			ids = append(ids, o.entry)
		}
		for _, id := range ids {
			if m := x.m.find(level, id); m == nil || m.owner != h.name {
				lost = append(lost, id)
			}
		}
		epoch, got, err := x.q.Level(level).Renew(x.ctx, h.name, ids)
		x.noError(err)
		x.same("lost", got, lost)
		x.same("epoch", epoch, x.m.epochs[h.name])
		h.epoch = epoch
		for _, o := range some {
			if !slices.Contains(lost, o.entry) {
				o.epoch = epoch
			}
		}
	}}
}

func holdingNames(os []*holding) string {
	var out []string
	for _, o := range os {
		out = append(out, o.name)
	}
	return strings.Join(out, " ")
}

func (x *machine) reclaim(t *rapid.T) step {
	h, level := x.hand(t), drawOne(t, x.levels())
	n, most := rapid.IntRange(1, 5).Draw(t, "n"), drawOne(t, []int{0, 1, 3})
	return step{fmt.Sprintf("%s, up to %d of level %d, at most %d deliveries", h.name, n, level, most), func() {
		x.join(h)
		epoch := h.epoch
		got, buried, err := x.calls.reclaim(x.q.Level(level), h.name, n, most)
		x.noError(err)
		want, wantBuried := x.m.reclaim(level, h.name, n, most)
		x.same("buried", buried, wantBuried)
		x.delivered(h, epoch, got, want)
	}}
}

func (x *machine) handBack(t *rapid.T) step {
	h, level, some := x.holder(t)
	return step{h.name + ": " + holdingNames(some), func() {
		var ids []string
		var want []*msg
		for _, o := range some {
			ids = append(ids, o.entry)
			if m := x.m.find(level, o.entry); m != nil && m.owner == h.name {
				want = append(want, m)
			}
		}
		h.forget(some) // it settles none of them any more
		h.last = nil
		n, err := x.q.Level(level).HandBack(x.ctx, h.name, ids)
		x.noError(err)
		x.same("handed back", n, len(want))
		x.m.handBack(want)
	}}
}

// lapse is what a worker of a paused queue does with leases that have run out.
func (x *machine) lapse(t *rapid.T) step {
	level := drawOne(t, x.levels())
	return step{fmt.Sprintf("level %d", level), func() {
		n, err := x.q.Level(level).HandBackLapsed(x.ctx, 0)
		x.noError(err)
		x.same("handed back", n, x.m.lapse(level))
	}}
}

// release is the end of a worker, which may have settlements under way.
func (x *machine) release(t *rapid.T) step {
	h := x.hand(t)
	levels := slices.Clone(x.levels())
	levels = levels[:rapid.IntRange(1, len(levels)).Draw(t, "levels")]
	return step{fmt.Sprintf("%s, levels %v", h.name, levels), func() {
		for _, level := range levels {
			if !x.m.consumers[level][h.name] {
				continue
			}
			want := x.m.owned(level, h.name)
			n, err := x.q.Level(level).Release(x.ctx, h.name)
			x.noError(err)
			x.same("released", n, len(want))
			x.m.handBack(want)
			delete(x.m.consumers[level], h.name)
			delete(x.m.epochs, h.name)
			h.epoch = ""
		}
	}}
}
