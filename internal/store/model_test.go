package store_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

// The queue does what the model says, whatever is done with it in whatever order.
// More of it: go test -run TestModel ./internal/store -rapid.checks 2000 -rapid.steps 100
func TestModel(t *testing.T) {
	setFlag(t, "rapid.checks", some(t, 70))
	setFlag(t, "rapid.steps", 60)
	setFlag(t, "rapid.nofailfile", true) // ids are times: the seed is worth as much
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		b := newBench(t, url)
		rapid.Check(t, func(t *rapid.T) {
			x := b.start(t)
			t.Repeat(x.actions())
			x.heal()
		})
	})
}

// setFlag changes a flag of rapid for a test, if nobody else has set it.
func setFlag(t *testing.T, name string, value any) {
	t.Helper()
	taken := os.Getenv(strings.ToUpper(strings.ReplaceAll(name, ".", "_"))) != ""
	flag.Visit(func(f *flag.Flag) { taken = taken || f.Name == name })
	if !taken {
		forceFlag(t, name, value)
	}
}

func forceFlag(t *testing.T, name string, value any) {
	t.Helper()
	f := flag.Lookup(name)
	before := f.Value.String()
	if err := f.Value.Set(fmt.Sprint(value)); err != nil { // not flag.Set: that is what the user does
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Value.Set(before) })
}

// heal ends a run as an operator would: everything is taken over, handled and
// sent again, until nothing is left.
func (x *machine) heal() {
	x.setPaused(false)
	x.setLimits(store.Limits{})
	h := x.hands[0]
	for round := 0; len(x.m.in(isReady, isInFlight, isBlocked, isScheduled, isDead)) > 0; round++ {
		if round > 1000 {
			x.differ("after %d rounds are left: %v", round, x.m.in(isReady, isInFlight, isBlocked, isScheduled, isDead))
		}
		x.healOnce(h)
	}
	for _, level := range x.levels() {
		for _, h := range x.hands {
			if x.m.consumers[level][h.name] {
				_, err := x.q.Level(level).Release(x.ctx, h.name)
				x.noError(err)
				delete(x.m.consumers[level], h.name)
				delete(x.m.epochs, h.name)
			}
		}
	}
	x.check()
	for _, m := range x.m.all {
		x.same(m.name, m.place, isGone)
	}
	left, err := x.q.Delete(x.ctx, false)
	x.noError(err)
	x.same("left", left, 0)
	keys, err := x.raw.Keys(x.ctx, "*").Result()
	x.noError(err)
	for _, key := range keys { // the others expire
		if ttl, err := x.raw.PTTL(x.ctx, key).Result(); err != nil || ttl <= 0 {
			x.differ("%s is left for ever: %v, %v", key, ttl, err)
		}
	}
}

func (x *machine) healOnce(h *hand) {
	x.join(h)
	for _, m := range x.m.delayed {
		m.due = 1000 // nobody waits for an hour
		x.noError(x.raw.ZAdd(x.ctx, x.q.Delayed, zScore(m)).Err())
	}
	_, err := x.calls.promote(100)
	x.noError(err)
	x.m.promote(100)
	if len(x.m.dead) > 0 {
		dead := x.m.dead
		n, _, err := x.calls.requeue("-", "+", 1000)
		x.noError(err)
		x.same("requeued", n, len(dead))
		x.m.requeue(dead)
	}
	x.check()
	for _, level := range x.levels() {
		got, _, err := x.calls.reclaim(x.q.Level(level), h.name, 1000, 0)
		x.noError(err)
		want, _ := x.m.reclaim(level, h.name, 1000, 0)
		x.delivered(h, h.epoch, got, want)
		got = nil
		epoch := h.epoch
		x.noError(x.calls.read(h, []*store.Queue{x.q.Level(level)}, 1000, func(_ int, e store.Entry) { got = append(got, e) }))
		x.delivered(h, epoch, got, x.m.read(level, h.name, 1000))
		x.check()
		h.last = &settling{level: level}
		os := h.holdings(level)
		for _, o := range os {
			judge(&h.last.st, o, "done", false)
		}
		h.forget(os)
		if len(os) > 0 {
			x.settled(h)
			x.check()
		}
	}
}

func zScore(m *msg) redis.Z { return redis.Z{Score: float64(m.due), Member: m.entry} }
