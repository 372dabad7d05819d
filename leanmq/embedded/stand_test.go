package embedded

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func startAt(t *testing.T, at time.Time) (*Server, *redis.Client) {
	t.Helper()
	s, err := StartAt(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, connect(t, s.URL())
}

// Everything that has a time follows the clock, at once, and nothing before.
func TestStandingClock(t *testing.T) {
	t.Parallel()
	begin := time.Date(2001, 2, 3, 4, 5, 6, 7_654_321, time.UTC)
	s, c := startAt(t, begin)
	ctx := t.Context()
	begin = begin.Truncate(time.Millisecond)
	at := func(d time.Duration) {
		t.Helper()
		if now, err := c.Time(ctx).Result(); err != nil || !now.Equal(begin.Add(d)) || !s.Now().Equal(now) {
			t.Errorf("TIME is %v, Now %v, want %v later than %v: %v", now, s.Now(), d, begin, err)
		}
	}
	add := func(want string) {
		t.Helper()
		if id, err := c.XAdd(ctx, &redis.XAddArgs{Stream: "s", Values: []string{"f", "v"}}).Result(); err != nil || id != want {
			t.Errorf("id %s, want %s: %v", id, want, err)
		}
	}
	idle := func() int64 {
		t.Helper()
		n, err := c.XPendingExt(ctx, &redis.XPendingExtArgs{
			Stream: "s", Group: "g", Idle: time.Minute, Start: "-", End: "+", Count: 10,
		}).Result()
		if err != nil {
			t.Fatal(err)
		}
		return int64(len(n))
	}

	c.Set(ctx, "k", "v", time.Minute)
	add("981173106007-0")
	add("981173106007-1")
	c.XDel(ctx, "s", "981173106007-1")
	add("981173106007-2") // an id that was used is not used again
	c.XGroupCreate(ctx, "s", "g", "0")
	c.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "g", Consumer: "c", Streams: []string{"s", ">"}, Block: -1})
	time.Sleep(20 * time.Millisecond)
	at(0)

	s.Advance(time.Minute - time.Millisecond)
	at(time.Minute - time.Millisecond)
	if c.Exists(ctx, "k").Val() != 1 || idle() != 0 {
		t.Error("a key expired, or an entry became idle, too early")
	}
	s.Advance(time.Millisecond)
	if c.Exists(ctx, "k").Val() != 0 || idle() != 2 {
		t.Error("a key did not expire, or an entry became not idle, in time")
	}
	add("981173166007-0")
	at(time.Minute)
}

func TestMisuseOfTheClock(t *testing.T) {
	for _, at := range []time.Time{{}, time.Unix(0, 0), time.Unix(-1, 0)} {
		if s, err := StartAt(at); err == nil {
			_ = s.Close()
			t.Errorf("StartAt(%v) succeeded", at)
		}
	}
	panics := func(what string, f func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("%s does not panic", what)
			}
		}()
		f()
	}
	standing, _ := startAt(t, time.Now())
	panics("a negative Advance", func() { standing.Advance(-1) })
	running, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	panics("Advance of a running clock", func() { running.Advance(time.Second) })
	if d := time.Since(running.Now()); d < 0 || d > time.Minute {
		t.Errorf("a running clock is off by %v", d)
	}
}
