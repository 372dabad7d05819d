package embedded

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// The clock itself, in time that does not depend on the machine's load.
func TestKeysExpireWithinAStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := miniredis.NewMiniRedis()
		stop := make(chan struct{})
		go runClock(m, stop)
		defer close(stop)

		time.Sleep(step / 2) // between two steps
		for i := 1; i <= 20; i++ {
			key := strconv.Itoa(i)
			if err := m.Set(key, "v"); err != nil {
				t.Fatal(err)
			}
			m.SetTTL(key, time.Duration(i)*50*time.Millisecond)
		}
		begin := time.Now()
		for i := 1; i <= 20; i++ {
			key, ttl := strconv.Itoa(i), time.Duration(i)*50*time.Millisecond
			time.Sleep(ttl - step - time.Since(begin) - 1)
			if !m.Exists(key) {
				t.Errorf("the key that lives for %v is gone after %v", ttl, time.Since(begin))
			}
			time.Sleep(ttl + step - time.Since(begin) + 1)
			if m.Exists(key) {
				t.Errorf("the key that lives for %v is there after %v", ttl, time.Since(begin))
			}
		}
	})
}

func TestPauseGrowsWithTheKeys(t *testing.T) {
	for cost, want := range map[time.Duration]time.Duration{
		0:                      step,
		100 * time.Microsecond: step,
		3 * time.Millisecond:   27 * time.Millisecond,
		50 * time.Millisecond:  450 * time.Millisecond,
	} {
		if got := pause(cost); got != want {
			t.Errorf("pause(%v) = %v, want %v", cost, got, want)
		}
	}
}

// The same through a connection, with the tolerance a busy machine needs.
func TestSetWithTTL(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), start(t)
	const ttl = 500 * time.Millisecond
	begin := time.Now()
	if err := c.Set(ctx, "set", "v", ttl).Err(); err != nil {
		t.Fatal(err)
	}
	c.Set(ctx, "expire", "v", 0)
	c.PExpire(ctx, "expire", ttl)
	for c.Exists(ctx, "set", "expire").Val() > 0 {
		if time.Since(begin) > 10*ttl {
			t.Fatalf("still there after %v: %v, %v", time.Since(begin), c.PTTL(ctx, "set"), c.PTTL(ctx, "expire"))
		}
		time.Sleep(time.Millisecond)
	}
	if d := time.Since(begin); d < ttl/2 {
		t.Errorf("gone after %v", d)
	}
}

func TestIDsAndIdleTimesFollowTheClock(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), start(t)
	for range 3 {
		before := time.Now().UnixMilli()
		id, err := c.XAdd(ctx, &redis.XAddArgs{Stream: "s", Values: []string{"f", "v"}}).Result()
		if err != nil {
			t.Fatal(err)
		}
		ms, _, _ := strings.Cut(id, "-")
		if n, err := strconv.ParseInt(ms, 10, 64); err != nil || n < before || n > time.Now().UnixMilli() {
			t.Errorf("id %s, which is not between %d and %d", id, before, time.Now().UnixMilli())
		}
		time.Sleep(5 * time.Millisecond)
	}

	c.XGroupCreate(ctx, "s", "g", "0")
	begin := time.Now()
	c.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "g", Consumer: "c", Streams: []string{"s", ">"}, Block: -1})
	time.Sleep(30 * time.Millisecond)
	pending, err := c.XPendingExt(ctx, &redis.XPendingExtArgs{
		Stream: "s", Group: "g", Idle: 20 * time.Millisecond, Start: "-", End: "+", Count: 10,
	}).Result()
	if err != nil || len(pending) != 3 {
		t.Fatalf("%v, %v", pending, err)
	}
	if idle, longest := pending[0].Idle, time.Since(begin); idle < 30*time.Millisecond || idle > longest {
		t.Errorf("idle for %v, which is not between 30ms and %v", idle, longest)
	}
}
