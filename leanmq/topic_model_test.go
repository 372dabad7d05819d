package leanmq_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// Each group handles exactly what it should, whatever is published, handled, failed,
// handed back, sought, trimmed, dropped, filtered and deleted in whatever order.
// More of it: go test -run TestTopicModel ./leanmq -rapid.checks 500
func TestTopicModel(t *testing.T) {
	checks := 25
	if testing.Short() {
		checks = 5
	}
	rapidFlag(t, "rapid.checks", checks)
	rapidFlag(t, "rapid.steps", 60)
	rapidFlag(t, "rapid.nofailfile", true)
	rapidFlag(t, "rapid.shrinktime", 10*time.Second)
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq, n := open(t, url), 0
		rapid.Check(t, func(rt *rapid.T) {
			n++
			x := &topicModel{T: rt, ctx: context.Background(), topic: mq.Topic(fmt.Sprint("walk", n)), groups: map[string]*groupModel{}}
			defer x.end()
			rt.Repeat(map[string]func(*rapid.T){
				"publish": x.publish, "create": x.create, "receive": x.receive, "settle": x.settle,
				"settle more": x.settle, "close": x.close, "filter": x.filter, "seek": x.seek,
				"retain": x.retain, "trim": x.trim, "delete": x.delete, "": x.compare,
			})
			for _, g := range x.sorted() {
				x.drain(g)
			}
		})
	})
}

// rapidFlag changes a flag of rapid for a test, if nobody else has set it.
func rapidFlag(t *testing.T, name string, value any) {
	t.Helper()
	taken := false
	flag.Visit(func(f *flag.Flag) { taken = taken || f.Name == name })
	if taken {
		return
	}
	f := flag.Lookup(name)
	before := f.Value.String()
	if err := f.Value.Set(fmt.Sprint(value)); err != nil { // not flag.Set: that is what the user does
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Value.Set(before) })
}

// topicModel is what a topic should be. Messages are known by their numbers, which are
// their payloads.
type topicModel struct {
	*rapid.T
	ctx       context.Context
	topic     *leanmq.Topic
	all       []publishedModel
	first     int // that is retained
	retention leanmq.Retention
	groups    map[string]*groupModel
}

type publishedModel struct{ id, kind, key string }

// groupModel is what a group should be.
type groupModel struct {
	*leanmq.Group
	types    string
	next     int              // the first one it has not read
	pending  map[int]bool     // in the topic: read, not settled
	flying   []flyingModel    // what pullers have
	want     map[int]int      // how often each one is to be handled
	got      map[int]int      // and was
	lanes    map[string][]int // what was read and not handled, by ordering key
	pullers  []*leanmq.Puller
	filtered int64
	dropped  int64
}

type flyingModel struct {
	m   *leanmq.Pulled
	n   int
	own bool // the group's own: not in the topic any more
	by  *leanmq.Puller
}

var kindsOf = map[string][]string{
	"a.*": {"a.x", "a.y"}, "*.x": {"a.x", "b.x"}, "b.#": {"b", "b.x"}, "#": {"", "a.x", "a.y", "b", "b.x"},
}

func (x *topicModel) must(err error) {
	x.Helper()
	if err != nil {
		x.Fatal(err)
	}
}

func (x *topicModel) sorted() (all []*groupModel) {
	for _, name := range slices.Sorted(maps.Keys(x.groups)) {
		all = append(all, x.groups[name])
	}
	return all
}

// group draws one of the groups.
func (x *topicModel) group(t *rapid.T) *groupModel {
	if len(x.groups) == 0 {
		t.Skip("no group")
	}
	return rapid.SampledFrom(x.sorted()).Draw(t, "group")
}

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

func (x *topicModel) isGone(err error) {
	x.Helper()
	if !errors.Is(err, leanmq.ErrNotRetained) {
		x.Fatalf("what is not retained: %v", err)
	}
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

// inTopic is the message's number, or -1 if it is the group's own.
func (x *topicModel) inTopic(f flyingModel) int {
	if f.own {
		return -1
	}
	return f.n
}

func (x *topicModel) finished(g *groupModel, f flyingModel) {
	delete(g.pending, x.inTopic(f))
	if key := x.all[f.n].key; key != "" {
		g.lanes[key] = g.lanes[key][1:]
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

// compare compares what is shown with the model.
func (x *topicModel) compare(*rapid.T) {
	info, err := x.topic.Info(x.ctx)
	x.must(err)
	if int(info.Length) != len(x.all)-x.first || len(info.Groups) != len(x.groups) {
		x.Fatalf("%d messages and %d groups, want %d and %d", info.Length, len(info.Groups), len(x.all)-x.first, len(x.groups))
	}
	for _, i := range info.Groups {
		g := x.groups[i.Name]
		if int(i.Lag) != len(x.all)-g.next || int(i.InFlight) != len(g.flying) || i.Filtered != g.filtered || i.Dropped != g.dropped {
			x.Fatalf("%+v, want a lag of %d, %d in flight, %d filtered and %d dropped",
				i, len(x.all)-g.next, len(g.flying), g.filtered, g.dropped)
		}
	}
}

// drain handles all that is left for a group.
func (x *topicModel) drain(g *groupModel) {
	for begin := time.Now(); ; {
		for _, f := range g.flying {
			x.must(f.m.Done(x.ctx))
			g.got[f.n]++
			x.finished(g, f)
		}
		g.flying = nil
		i, err := g.Queue().Info(x.ctx)
		x.must(err)
		if i.Ready+i.InFlight+i.Scheduled+i.Blocked == 0 {
			break
		}
		if time.Since(begin) > 30*time.Second {
			x.Fatalf("%s is stuck: %+v, want %v, got %v", g.Name(), i, g.want, g.got)
		}
		x.receiveSome(g, 1, 50)
	}
	if maps.DeleteFunc(g.want, func(n, times int) bool { return times == g.got[n] }); len(g.want) > 0 {
		x.Fatalf("%s was to handle %v (number: times) otherwise: %v", g.Name(), g.want, g.got)
	}
}

func (x *topicModel) end() {
	for _, g := range x.groups {
		for _, p := range g.pullers {
			if p != nil {
				_ = p.Close()
			}
		}
	}
	_ = x.topic.ForceDelete(x.ctx)
}
