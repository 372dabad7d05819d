package store_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/leanmq/leanmq/internal/store"
)

// What the messages of a run differ in: few of each, so that they meet.
var (
	modelLevels = []int{0, 1, 3}
	modelKeys   = []string{"a", "b"}
)

// machine is one run: the queue, the model of it, and those who work on it.
type machine struct {
	t     *rapid.T // of the step under way
	ctx   context.Context
	s     *store.Store
	q     *store.Queue
	raw   redis.UniversalClient
	m     *model
	hands []*hand
	n     int // messages so far
	calls calls
}

// calls are those of the store that a planted bug may replace.
type calls struct {
	join    func(q *store.Queue, w string) (string, error)
	read    func(h *hand, qs []*store.Queue, n int, each func(int, store.Entry)) error
	settle  func(q *store.Queue, w string, st *store.Settlement) (store.Settled, error)
	promote func(most int) ([]store.Promoted, error)
	requeue func(first, last string, n int) (int, string, error)
	reclaim func(q *store.Queue, w string, n, most int) ([]store.Entry, int, error)
	send    func(es []store.Envelope, terms store.SendTerms) []store.SendResult
}

// hand is a worker: what it believes to hold, and under which epoch.
type hand struct {
	name   string
	epoch  string
	reader *store.Reader
	holds  []*holding
	last   *settling // its last settlement, to be repeated as after a lost reply
}

// holding is a message as it was when it was delivered.
type holding struct {
	msg
	epoch string
}

type settling struct {
	level int
	st    store.Settlement
	text  string
}

// bench is what runs share: connections.
type bench struct {
	s       *store.Store
	raw     redis.UniversalClient
	readers []*store.Reader
}

func newBench(t *testing.T, url string) *bench {
	b := &bench{s: open(t, url), raw: rawClient(t, url)}
	for range 3 {
		r := b.s.NewReader()
		t.Cleanup(func() { _ = r.Close() })
		b.readers = append(b.readers, r)
	}
	return b
}

// start empties Redis and begins a run.
func (b *bench) start(t *rapid.T) *machine {
	x := &machine{t: t, ctx: context.Background(), s: b.s, raw: b.raw, m: newModel()}
	if err := b.raw.FlushAll(x.ctx).Err(); err != nil {
		t.Fatal(err)
	}
	x.q = x.must(b.s.Queue("jobs"))
	for i, r := range b.readers {
		x.hands = append(x.hands, &hand{name: "w" + strconv.Itoa(i), reader: r})
	}
	x.calls = calls{
		join: func(q *store.Queue, w string) (string, error) { return q.Join(x.ctx, w) },
		read: func(h *hand, qs []*store.Queue, n int, each func(int, store.Entry)) error {
			return h.reader.Read(x.ctx, h.name, qs, n, 0, each)
		},
		settle: func(q *store.Queue, w string, st *store.Settlement) (store.Settled, error) {
			return q.Settle(x.ctx, w, st)
		},
		promote: func(most int) ([]store.Promoted, error) {
			return x.s.Promote(x.ctx, []*store.Queue{x.q}, most)
		},
		requeue: func(first, last string, n int) (int, string, error) { return x.q.Requeue(x.ctx, first, last, n) },
		reclaim: func(q *store.Queue, w string, n, most int) ([]store.Entry, int, error) {
			return q.Reclaim(x.ctx, w, 0, n, most)
		},
		send: func(es []store.Envelope, terms store.SendTerms) []store.SendResult {
			return x.q.SendIf(x.ctx, es, terms)
		},
	}
	return x
}

func (x *machine) must(q *store.Queue, err error) *store.Queue {
	x.noError(err)
	return q
}

// differ ends the run. What it says last is always the same: rapid takes failures
// with different texts for different ones, and ids are times.
func (x *machine) differ(format string, args ...any) {
	x.t.Helper()
	x.t.Logf(format, args...)
	x.t.Fatalf("the queue is not what the model says")
}

func (x *machine) noError(err error) {
	x.t.Helper()
	if err != nil {
		x.differ("error: %v", err)
	}
}

// same compares what a call returned.
func (x *machine) same(what string, got, want any) {
	x.t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		x.differ("%s: %s, should be %s", what, g, w)
	}
}

// check compares everything that Redis holds with the model.
func (x *machine) check() {
	x.t.Helper()
	s, err := look(x.ctx, x.raw, x.q, x.m)
	x.noError(err)
	problems := append(s.problems, x.m.learn(s)...)
	problems = append(problems, differences(x.m.lines(x.q), s.lines)...)
	for _, key := range s.keys {
		if !x.known(key) {
			problems = append(problems, "  unknown key: "+key)
		}
	}
	if len(problems) > 0 {
		x.differ("Redis\n%s", strings.Join(problems, "\n"))
	}
	info, err := x.q.Info(x.ctx)
	x.noError(err)
	x.same("Info", fmt.Sprintf("%+v", info), fmt.Sprintf("%+v", x.m.info()))
}

// known reports whether the key belongs to the queue. What it holds was compared.
func (x *machine) known(key string) bool {
	q := x.q
	if slices.Contains([]string{
		"leanmq:queues", q.Dead, q.Delayed, q.Bodies, q.Workers, q.Meta, q.Order, q.Unique, q.Rate, q.Canceled,
	}, key) {
		return true
	}
	for _, level := range modelLevels {
		if key == q.Level(level).Stream {
			return true
		}
	}
	for k := range x.m.lanes {
		if key == q.Lane(k) {
			return true
		}
	}
	for id := range x.m.results {
		if key == q.Result(id) {
			return true
		}
	}
	_, ok := x.m.remembered[key]
	return ok
}

func (m *model) info() store.Info {
	count := func(p place) int64 { return int64(len(m.in(p))) }
	i := store.Info{
		Scheduled: count(isScheduled), Dead: count(isDead), Blocked: count(isBlocked), Canceled: int64(m.counted["canceled"]),
		Consumers: int64(len(m.consumers[0])), Paused: m.paused,
		Exists: m.levels != "" || len(m.consumers[0]) > 0 || m.based,
	}
	for _, x := range m.in(isReady, isInFlight) {
		if x.place == isReady || x.owner == "released" {
			i.Ready++
		} else {
			i.InFlight++
		}
	}
	i.Exists = i.Exists || i.Scheduled+i.Dead > 0
	return i
}

// levels are those that workers have to read.
func (x *machine) levels() []int {
	out := []int{0}
	for _, r := range x.m.levels {
		out = append(out, int(r-'0'))
	}
	return out
}

// join makes a worker read all levels there are, as a consumer does that sees
// the settings change or has lost its epoch.
func (x *machine) join(h *hand) {
	x.t.Helper()
	for _, level := range x.levels() {
		if x.m.consumers[level][h.name] && x.m.epochs[h.name] != "" {
			continue
		}
		epoch, err := x.calls.join(x.q.Level(level), h.name)
		x.noError(err)
		switch now := x.m.epochs[h.name]; {
		case now != "":
			x.same("epoch of "+h.name, epoch, now)
		case epoch == "" || x.m.lives[epoch]:
			x.differ("the epoch %q of %s is not new", epoch, h.name)
		}
		x.m.epochs[h.name], x.m.lives[epoch] = epoch, true
		x.m.consumers[level][h.name] = true
		x.m.based = true
		h.epoch = epoch
	}
}

// delivered compares what a worker got, and gives it to the worker.
func (x *machine) delivered(h *hand, epoch string, got []store.Entry, want []*msg) {
	x.t.Helper()
	text := func(name, entry, id string, deliveries, attempts int) string {
		return fmt.Sprintf("%s (%s, id %q, delivery %d, %d failed)", name, entry, id, deliveries, attempts)
	}
	var is, should []string
	for _, e := range got {
		if e.Malformed != nil {
			x.differ("%s: %v", e.Entry, e.Malformed)
		}
		id := e.ID
		if id == "" {
			id = e.Entry
		}
		is = append(is, text(string(e.Payload), e.Entry, id, e.Deliveries, e.Attempts))
	}
	for _, m := range want {
		should = append(should, text(m.name, m.entry, m.id, m.deliveries, m.attempts))
	}
	x.same("delivered to "+h.name, is, should)
	for _, m := range want {
		h.holds = slices.DeleteFunc(h.holds, func(o *holding) bool { return o.level == m.level && o.entry == m.entry })
		h.holds = append(h.holds, &holding{*m, epoch})
	}
}

// holdings are those of a level.
func (h *hand) holdings(level int) []*holding {
	var out []*holding
	for _, o := range h.holds {
		if o.level == level {
			out = append(out, o)
		}
	}
	return out
}

func (h *hand) forget(os []*holding) {
	h.holds = slices.DeleteFunc(h.holds, func(o *holding) bool { return slices.Contains(os, o) })
}

// heldLevels are the levels of which the worker believes to hold messages.
func (h *hand) heldLevels() []int {
	var out []int
	for _, level := range modelLevels {
		if len(h.holdings(level)) > 0 {
			out = append(out, level)
		}
	}
	return out
}
