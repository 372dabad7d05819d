package leanmq_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"pgregory.net/rapid"

	"github.com/leanmq/leanmq/leanmq"
)

func (x *topicModel) publish(t *rapid.T) {
	m := publishedModel{
		kind: rapid.SampledFrom(kindsOf["#"]).Draw(t, "type"),
		key:  rapid.SampledFrom([]string{"", "", "k", "l"}).Draw(t, "key"),
	}
	var opts []leanmq.SendOption
	if m.kind != "" {
		opts = append(opts, leanmq.Type(m.kind))
	}
	if m.key != "" {
		opts = append(opts, leanmq.OrderingKey(m.key))
	}
	for range rapid.IntRange(1, 6).Draw(t, "messages") {
		id, err := x.topic.Publish(x.ctx, strconv.AppendInt(nil, int64(len(x.all)), 10), opts...)
		x.must(err)
		m.id = id
		x.all = append(x.all, m)
	}
}

// position draws a position: the number of the first message behind it.
func (x *topicModel) position(t *rapid.T) (leanmq.Position, int) {
	i := -1
	if len(x.all) > 0 {
		i = rapid.IntRange(0, len(x.all)-1).Draw(t, "message")
	}
	switch kind := rapid.IntRange(0, 3).Draw(t, "position"); {
	case kind == 0:
		return leanmq.FromNow(), len(x.all)
	case kind == 1 || i < 0:
		return leanmq.FromBeginning(), x.first
	case kind == 2:
		return leanmq.FromID(x.all[i].id), i
	default:
		return leanmq.AfterID(x.all[i].id), i + 1
	}
}

func (x *topicModel) create(t *rapid.T) {
	name := rapid.SampledFrom([]string{"g", "h", "i"}).Draw(t, "group")
	if x.groups[name] != nil {
		t.Skip("it is there")
	}
	g := &groupModel{
		Group: x.topic.Group(name), types: rapid.SampledFrom(slices.Sorted(maps.Keys(kindsOf))).Draw(t, "types"),
		pending: map[int]bool{}, want: map[int]int{}, got: map[int]int{}, lanes: map[string][]int{},
		pullers: make([]*leanmq.Puller, 2),
	}
	p, next := x.position(t)
	made, err := g.Create(x.ctx, p, g.types)
	if next < x.first {
		x.isGone(err)
		return
	}
	if x.must(err); !made {
		t.Fatal("it was there")
	}
	g.next = next
	x.groups[name] = g
}

// puller returns one of the group's pullers.
func (x *topicModel) puller(g *groupModel, i int, opts ...leanmq.ConsumeOption) *leanmq.Puller {
	if g.pullers[i] == nil {
		p, err := g.Queue().Puller(append(opts, leanmq.Lease(time.Hour), leanmq.Retry(leanmq.RetryPolicy{
			MaxAttempts: 1000, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond,
		}))...)
		x.must(err)
		g.pullers[i] = p
	}
	return g.pullers[i]
}

func (x *topicModel) receive(t *rapid.T) {
	g := x.group(t)
	x.receiveSome(g, rapid.IntRange(0, 1).Draw(t, "puller"), rapid.IntRange(1, 8).Draw(t, "messages"))
}

// receiveSome receives what is ready, without waiting.
func (x *topicModel) receiveSome(g *groupModel, by, n int) {
	ended, cancel := context.WithCancel(x.ctx)
	cancel()
	p := x.puller(g, by)
	ms, err := p.Receive(ended, n)
	if err != nil && !errors.Is(err, context.Canceled) {
		x.Fatal(err)
	}
	x.read(g)
	for _, m := range ms {
		i, err := strconv.Atoi(string(m.Payload))
		x.must(err)
		key := x.all[i].key
		f := flyingModel{m: m, n: i, own: key != "" || m.Attempt > 1, by: p}
		switch {
		case g.want[i] <= g.got[i]:
			x.Fatalf("%s gets %d, which it has done %d times", g.Name(), i, g.got[i])
		case key != "" && g.lanes[key][0] != i:
			x.Fatalf("%s gets %d: it overtakes %v", g.Name(), i, g.lanes[key])
		case key != "" && slices.ContainsFunc(g.flying, func(o flyingModel) bool { return x.all[o.n].key == key }):
			x.Fatalf("%s gets %d beside another one with its key", g.Name(), i)
		case !f.own && i >= g.next:
			x.Fatalf("%s gets %d, and has read up to %d", g.Name(), i, g.next)
		}
		if !f.own {
			g.pending[i] = true
		}
		g.flying = append(g.flying, f)
	}
}

// read notes what the group has read since it was looked at.
func (x *topicModel) read(g *groupModel) {
	info, err := g.Info(x.ctx)
	x.must(err)
	next := len(x.all) - int(info.Lag)
	if next < g.next {
		x.Fatalf("%s has not read %d messages: it had come to %d of %d", g.Name(), info.Lag, g.next, len(x.all))
	}
	for ; g.next < next; g.next++ {
		m := x.all[g.next]
		if !slices.Contains(kindsOf[g.types], m.kind) {
			g.filtered++
			continue
		}
		g.want[g.next]++
		if m.key != "" {
			g.lanes[m.key] = append(g.lanes[m.key], g.next)
		}
	}
}

func (x *topicModel) settle(t *rapid.T) {
	g := x.group(t)
	if len(g.flying) == 0 {
		t.Skip("nothing flies")
	}
	i := rapid.IntRange(0, len(g.flying)-1).Draw(t, "which")
	f := g.flying[i]
	g.flying = slices.Delete(g.flying, i, i+1)
	switch rapid.IntRange(0, 5).Draw(t, "how") {
	case 0, 1:
		x.must(f.m.Retry(x.ctx, leanmq.RetryAfter(0, errors.New("boom"))))
		delete(g.pending, x.inTopic(f))
	case 2:
		x.must(f.m.Reject(x.ctx, errors.New("never")))
		g.want[f.n]--
		x.finished(g, f)
	default:
		x.must(f.m.Done(x.ctx))
		g.got[f.n]++
		x.finished(g, f)
	}
}

// close hands back what a puller has.
func (x *topicModel) close(t *rapid.T) {
	g := x.group(t)
	x.closePuller(g, rapid.IntRange(0, 1).Draw(t, "puller"))
}

func (x *topicModel) closePuller(g *groupModel, i int) {
	if p := g.pullers[i]; p != nil {
		x.must(p.Close())
		g.pullers[i] = nil
		g.flying = slices.DeleteFunc(g.flying, func(f flyingModel) bool { return f.by == p })
	}
}

// filter starts a puller with another filter.
func (x *topicModel) filter(t *rapid.T) {
	g := x.group(t)
	x.closePuller(g, 0)
	x.read(g)
	g.types = rapid.SampledFrom(slices.Sorted(maps.Keys(kindsOf))).Draw(t, "types")
	x.puller(g, 0, leanmq.Types(g.types))
	x.receiveSome(g, 0, 1)
}

func (x *topicModel) seek(t *rapid.T) {
	g := x.group(t)
	p, next := x.position(t)
	err := g.Seek(x.ctx, p)
	if next < x.first {
		x.isGone(err)
		return
	}
	x.must(err)
	for n := range g.pending {
		if n >= next {
			delete(g.pending, n)
			g.want[n]--
		}
	}
	x.lose(g, next, len(x.all), func(m *leanmq.Pulled) {
		if err := m.Done(x.ctx); !errors.Is(err, leanmq.ErrLeaseLost) {
			x.Fatalf("%s was sought to %d, and %s is done: %v", g.Name(), next, m.Payload, err)
		}
	})
	g.next = next
}

// lose forgets what pullers have of the topic's messages from one number to another.
func (x *topicModel) lose(g *groupModel, from, to int, try func(*leanmq.Pulled)) {
	g.flying = slices.DeleteFunc(g.flying, func(f flyingModel) bool {
		lost := !f.own && f.n >= from && f.n < to
		if lost {
			try(f.m)
		}
		return lost
	})
}

func (x *topicModel) retain(t *rapid.T) {
	x.retention = rapid.SampledFrom([]leanmq.Retention{
		{}, {Length: 5}, {Length: 3, DropUnread: true}, {UntilDone: true}, {UntilDone: true, Length: 10},
	}).Draw(t, "retention")
	x.must(x.topic.SetRetention(x.ctx, x.retention))
}

func (x *topicModel) trim(*rapid.T) {
	first, undone := x.first, len(x.all)
	for _, g := range x.groups {
		undone = min(undone, g.next)
		for n := range g.pending {
			undone = min(undone, n)
		}
	}
	if x.retention.Length > 0 {
		first = max(first, len(x.all)-int(x.retention.Length))
	}
	if x.retention.UntilDone && len(x.groups) > 0 {
		first = max(first, undone)
	}
	if !x.retention.DropUnread {
		first = max(min(first, undone), x.first)
	}
	n, err := x.topic.Trim(x.ctx)
	x.must(err)
	if int(n) != first-x.first {
		x.Fatalf("%d messages were trimmed, want %d", n, first-x.first)
	}
	x.first = first
	for _, g := range x.groups {
		g.dropped += int64(max(first-g.next, 0))
		g.next = max(g.next, first)
		for n := range g.pending {
			if n < first {
				delete(g.pending, n)
				g.want[n]--
				g.dropped++
			}
		}
		x.lose(g, 0, first, func(m *leanmq.Pulled) {
			if err := m.Retry(x.ctx, errors.New("boom")); !errors.Is(err, leanmq.ErrLeaseLost) {
				x.Fatalf("%s was dropped, and can be retried: %v", m.Payload, err)
			}
		})
	}
}

func (x *topicModel) delete(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "seldom") > 0 {
		t.Skip("not now")
	}
	g := x.group(t)
	x.closePuller(g, 0)
	x.closePuller(g, 1)
	x.must(g.ForceDelete(x.ctx))
	delete(x.groups, g.Name())
}
