package leanmq_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
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

func (x *topicModel) isGone(err error) {
	x.Helper()
	if !errors.Is(err, leanmq.ErrNotRetained) {
		x.Fatalf("what is not retained: %v", err)
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
