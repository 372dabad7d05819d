package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/leanmq/leanmq/internal/store"
)

// step is one action with everything about it drawn. Its text is what a
// counterexample shows.
type step struct {
	text string
	run  func()
}

// GoString is how rapid writes what it drew.
func (s step) GoString() string { return s.text }

// actions are what rapid chooses from. A nil possible means: at any time.
func (x *machine) actions() map[string]func(*rapid.T) {
	out := map[string]func(*rapid.T){"": func(t *rapid.T) {
		x.t = t
		x.check()
	}}
	add := func(name string, possible func() bool, draw func(t *rapid.T) step) {
		out[name] = func(t *rapid.T) {
			x.t = t
			if possible != nil && !possible() {
				t.SkipNow()
			}
			rapid.Custom(draw).Draw(t, name).run()
		}
	}
	holding := func() bool { return slices.ContainsFunc(x.hands, func(h *hand) bool { return len(h.holds) > 0 }) }
	flying := func() bool { return len(x.m.in(isInFlight)) > 0 }
	dead := func() bool { return len(x.m.dead) > 0 }

	add("send", nil, x.send)
	add("send if", nil, x.sendIf)
	add("send in order", nil, x.sendInOrder)
	add("send unique", nil, x.sendUnique)
	add("read", nil, x.read)
	add("read more", nil, x.read)
	add("reclaim more", flying, x.reclaim)
	add("take", nil, x.take)
	add("settle", holding, x.settle)
	add("settle more", holding, x.settle)
	add("settle again", func() bool {
		return slices.ContainsFunc(x.hands, func(h *hand) bool { return h.last != nil })
	}, x.settleAgain)
	add("renew", holding, x.renew)
	add("reclaim", flying, x.reclaim)
	add("hand back", holding, x.handBack)
	add("hand back lapsed", flying, x.lapse)
	add("release", flying, x.release)
	add("promote", func() bool { return len(x.m.delayed) > 0 }, x.promote)
	add("requeue", dead, x.requeue)
	add("purge", dead, x.purge)
	add("cancel", func() bool { return len(x.m.all) > 0 }, x.cancel)
	add("remove", func() bool { return len(x.m.in(isReady)) > 0 }, x.remove)
	add("set", nil, x.set)
	return out
}

// drawOne draws from a list that is not empty.
func drawOne[T any](t *rapid.T, list []T) T { return rapid.SampledFrom(list).Draw(t, "one") }

func (x *machine) hand(t *rapid.T) *hand { return drawOne(t, x.hands) }

// holder draws a worker that believes to hold something, and some of it.
func (x *machine) holder(t *rapid.T) (h *hand, level int, some []*holding) {
	var hs []*hand
	for _, h := range x.hands {
		if len(h.holds) > 0 {
			hs = append(hs, h)
		}
	}
	h = drawOne(t, hs)
	level = drawOne(t, h.heldLevels())
	held := h.holdings(level)
	n := rapid.IntRange(1, min(3, len(held))).Draw(t, "n")
	first := rapid.IntRange(0, len(held)-n).Draw(t, "first")
	return h, level, held[first : first+n]
}

func (x *machine) newMsg() *msg {
	x.n++
	return &msg{name: "m" + strconv.Itoa(x.n)}
}

func msgNames[T fmt.Stringer](list []T) string {
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = x.String()
	}
	return strings.Join(out, " ")
}

func (x *machine) send(t *rapid.T) step {
	n := rapid.IntRange(1, 3).Draw(t, "n")
	return step{fmt.Sprintf("%d plain", n), func() {
		es, ms := make([]store.Envelope, n), make([]*msg, n)
		for i := range es {
			ms[i] = x.newMsg()
			es[i].Payload = []byte(ms[i].name)
		}
		ids := make([]string, n)
		if n == 1 {
			id, err := x.q.Send(x.ctx, &es[0])
			x.noError(err)
			ids[0] = id
		} else {
			got, errs := x.q.SendMany(x.ctx, es)
			x.noError(errors.Join(errs...))
			ids = got
		}
		for i, m := range ms {
			x.m.send(m, store.SendTerms{})
			x.m.sent(m, ids[i])
		}
	}}
}

// sendIf sends with whatever a send can have.
func (x *machine) sendIf(t *rapid.T) step {
	n := drawOne(t, []int{1, 1, 2, 3})
	es := make([]store.Envelope, n)
	for i := range es {
		es[i].OrderKey = drawOne(t, []string{"", "a", "b"})
		es[i].UniqueKey = drawOne(t, []string{"", "", "u", "v"})
		es[i].Level = int64(drawOne(t, []int{0, 0, 1, 3}))
		if rapid.Bool().Draw(t, "keep") {
			es[i].KeepResult = time.Hour.Milliseconds()
		}
	}
	terms := store.SendTerms{Scripted: true, Limit: drawOne(t, []int{0, 0, 0, 4, 8})}
	switch drawOne(t, []string{"", "", "past", "hour"}) {
	case "past":
		terms.Due = time.Unix(int64(rapid.IntRange(1, 2).Draw(t, "s")), 0)
	case "hour":
		terms.Delay = time.Hour
	}
	if n == 1 {
		if es[0].ID = drawOne(t, []string{"", "", "A", "B"}); es[0].ID != "" {
			terms.Window = drawOne(t, []time.Duration{0, time.Hour})
		}
	}
	if terms.For = drawOne(t, []string{"", "", "", "f"}); terms.For != "" {
		terms.Unique = time.Hour
	}
	return x.sending(es, terms)
}

// sendInOrder sends what waits for each other.
func (x *machine) sendInOrder(t *rapid.T) step {
	es := make([]store.Envelope, rapid.IntRange(1, 4).Draw(t, "n"))
	for i := range es {
		es[i].OrderKey = drawOne(t, modelKeys)
		es[i].Level = int64(drawOne(t, []int{0, 0, 0, 1}))
	}
	return x.sending(es, store.SendTerms{Scripted: true})
}

// sendUnique sends one that is often refused.
func (x *machine) sendUnique(t *rapid.T) step {
	e := store.Envelope{UniqueKey: "u", OrderKey: drawOne(t, []string{"", "a"})}
	return x.sending([]store.Envelope{e}, store.SendTerms{Scripted: true})
}

func (x *machine) sending(es []store.Envelope, terms store.SendTerms) step {
	var texts []string
	for i := range es {
		e := &es[i]
		texts = append(texts, fmt.Sprintf("{key=%q unique=%q level=%d keep=%t id=%q}", e.OrderKey, e.UniqueKey, e.Level, e.KeepResult > 0, e.ID))
	}
	text := fmt.Sprintf("%s due=%s delay=%v limit=%d window=%v for=%q",
		strings.Join(texts, " "), dueText(terms.Due), terms.Delay, terms.Limit, terms.Window, terms.For)
	return step{text, func() {
		ms := make([]*msg, len(es))
		for i := range es {
			e := &es[i]
			ms[i] = x.newMsg()
			ms[i].id, ms[i].key, ms[i].unique, ms[i].level, ms[i].keep = e.ID, e.OrderKey, e.UniqueKey, int(e.Level), e.KeepResult > 0
			e.Payload = []byte(ms[i].name)
		}
		var keys []string
		if terms.Window > 0 {
			keys = append(keys, x.q.Dedupe(es[0].ID))
		}
		if terms.Unique > 0 {
			keys = append(keys, x.q.UniqueFor(terms.For))
		}
		terms.Token = "t" + ms[0].name[1:]
		for i, r := range x.calls.send(es, terms) {
			given := es[i].ID
			dup, full := x.m.send(ms[i], terms, keys...)
			switch {
			case full:
				x.same("send of "+ms[i].name+" is full", errors.Is(r.Err, store.ErrFull), true)
				continue
			case dup != "":
				x.same("send of "+ms[i].name, r, store.SendResult{ID: dup, Dup: true})
				continue
			}
			x.noError(r.Err)
			x.same(ms[i].name+" is refused", r.Dup, false)
			if r.ID == "" || given != "" && given != r.ID {
				x.differ("%s got the id %q instead of %q", ms[i].name, r.ID, given)
			}
			x.m.sent(ms[i], r.ID, keys...)
		}
	}}
}

func dueText(t time.Time) string {
	if t.IsZero() {
		return "now"
	}
	return t.UTC().Format("1970 15:04:05")
}

func (x *machine) promote(t *rapid.T) step {
	most := rapid.IntRange(1, 5).Draw(t, "most")
	return step{fmt.Sprintf("up to %d", most), func() {
		out, err := x.calls.promote(most)
		x.noError(err)
		x.m.promote(most)
		x.same("version of the settings", out[0].Control, x.m.version)
		next := "never"
		for _, m := range x.m.delayed {
			if m.due < time.Now().Add(time.Minute).UnixMilli() {
				next = "now"
			} else if next == "never" {
				next = "later"
			}
		}
		is := "later"
		if out[0].Next < 0 {
			is = "never"
		} else if out[0].Next == 0 {
			is = "now"
		}
		x.same("next one", is, next)
	}}
}
