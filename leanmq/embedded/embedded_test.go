package embedded

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/leanmq/leanmq/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T) *redis.Client {
	t.Helper()
	s, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return connect(t, s.URL())
}

func connect(t *testing.T, redisURL string) *redis.Client {
	t.Helper()
	opts, err := redis.ParseURL(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	opts.MaxRetries = -1
	opts.DialerRetries = 1
	c := redis.NewClient(opts)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func open(t *testing.T, rawURL string) (redisURL string, release func() error) {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	redisURL, release, err = opened.open(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = release() })
	return redisURL, release
}

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

func TestBlockedReaderWakes(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), start(t)
	if err := c.XGroupCreateMkStream(ctx, "s", "g", "0").Err(); err != nil {
		t.Fatal(err)
	}
	woken := make(chan error, 1)
	go func() {
		streams, err := c.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: "g", Consumer: "c", Streams: []string{"s", ">"}, Block: time.Minute,
		}).Result()
		if err == nil && len(streams[0].Messages) != 1 {
			err = fmt.Errorf("got %v", streams)
		}
		woken <- err
	}()
	time.Sleep(20 * time.Millisecond) // most likely it is blocked by now
	if err := c.XAdd(ctx, &redis.XAddArgs{Stream: "s", Values: []string{"f", "v"}}).Err(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-woken:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the reader did not wake")
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

func TestNamedStoresAreShared(t *testing.T) {
	ctx := t.Context()
	first, releaseFirst := open(t, "mem://orders")
	second, releaseSecond := open(t, "mem://orders")
	other, _ := open(t, "mem://emails")
	if first != second || first == other {
		t.Fatalf("mem://orders at %s and %s, mem://emails at %s", first, second, other)
	}
	c := connect(t, second)
	if err := connect(t, first).Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	for range 3 { // the same user's releases count once
		if err := releaseFirst(); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := c.Get(ctx, "k").Result(); err != nil || got != "v" {
		t.Fatalf("after the first of two releases: %q, %v", got, err)
	}
	if err := releaseSecond(); err != nil {
		t.Fatal(err)
	}
	if err := c.Ping(ctx).Err(); err == nil {
		t.Error("the store answers after its last release")
	}

	again, _ := open(t, "mem://orders")
	if err := connect(t, again).Get(ctx, "k").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("a store opened anew is not empty: %v", err)
	}
}

func TestStoresWithoutANameArePrivate(t *testing.T) {
	ctx := t.Context()
	first, releaseFirst := open(t, "mem://")
	second, _ := open(t, "mem://")
	if first == second {
		t.Fatalf("both at %s", first)
	}
	for range 2 {
		if err := releaseFirst(); err != nil {
			t.Fatal(err)
		}
	}
	if err := connect(t, first).Ping(ctx).Err(); err == nil {
		t.Error("the store answers after its release")
	}
	if err := connect(t, second).Ping(ctx).Err(); err != nil {
		t.Error(err)
	}
}

func TestOpenAndReleaseFromManyGoroutines(t *testing.T) {
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 20 {
				_, release, err := opened.open(t.Context(), &url.URL{Scheme: "mem", Host: "busy"})
				if err != nil {
					t.Error(err)
					return
				}
				if err := release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	opened.mu.Lock()
	defer opened.mu.Unlock()
	if s := opened.named["busy"]; s != nil {
		t.Errorf("still open for %d users", s.users)
	}
}

func TestURLsThatAreRefused(t *testing.T) {
	for _, raw := range []string{
		"mem:///orders", "mem:///", "mem://orders/", "mem://orders/0", "mem://orders?db=1", "mem://?",
		"mem://#a", "mem://orders:6379", "mem://:6379", "mem://user:secret@orders", "mem://:secret@",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = opened.open(t.Context(), u)
		var bad *store.URLError
		if !errors.As(err, &bad) {
			t.Errorf("%s: %v", raw, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the password is in %q", raw, err)
		}
	}
}

func TestCloseDoesNotWaitForBlockedReaders(t *testing.T) {
	s, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	ctx, c := t.Context(), connect(t, s.URL())
	if err := c.XGroupCreateMkStream(ctx, "s", "g", "0").Err(); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 5)
	for range cap(failed) {
		go func() { failed <- c.Do(ctx, "XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">").Err() }()
	}
	time.Sleep(20 * time.Millisecond)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { _ = s.Close() })
	}
	wg.Wait()
	for range cap(failed) {
		if err := <-failed; err == nil {
			t.Error("a blocked read of a closed store succeeded")
		}
	}
	if err := c.Ping(ctx).Err(); err == nil {
		t.Error("the store answers after Close")
	}
}

// What LeanMQ's scripts use and Redis has. When one of these fails after an
// update of miniredis, the scripts fail too.
func TestScripts(t *testing.T) {
	ctx, c := t.Context(), start(t)
	for _, tt := range []struct{ name, script, want string }{
		{
			"XADD to no stream",
			`return tostring(redis.call('XADD', 'none', 'NOMKSTREAM', '*', 'f', 'v'))`, "false",
		},
		{
			"trim by id",
			`for i = 1, 5 do redis.call('XADD', 'trim', i .. '-0', 'f', 'v') end
			return redis.call('XTRIM', 'trim', 'MINID', '3-0')`, "2",
		},
		{
			"pending of a consumer, longer than",
			`redis.call('XGROUP', 'CREATE', 'trim', 'g', '0')
			redis.call('XREADGROUP', 'GROUP', 'g', 'a', 'COUNT', 1, 'STREAMS', 'trim', '>')
			redis.call('XREADGROUP', 'GROUP', 'g', 'b', 'STREAMS', 'trim', '>')
			return {#redis.call('XPENDING', 'trim', 'g', 'IDLE', 0, '-', '+', 10, 'b'),
				#redis.call('XPENDING', 'trim', 'g', 'IDLE', 60000, '-', '+', 10),
				redis.call('XPENDING', 'trim', 'g', '3-0', '3-0', 1)[1][2]}`, "[2 0 a]",
		},
		{
			"claim with a given count and idle time",
			`redis.call('XCLAIM', 'trim', 'g', 'b', 0, '3-0', 'IDLE', 60000, 'RETRYCOUNT', 1, 'JUSTID')
			local p = redis.call('XPENDING', 'trim', 'g', '3-0', '3-0', 1)[1]
			return {p[2], p[3] >= 60000 and 'idle' or p[3], p[4]}`, "[b idle 1]",
		},
		{
			"consumers",
			`local made = redis.call('XGROUP', 'CREATECONSUMER', 'trim', 'g', 'c')
			local c = redis.call('XINFO', 'CONSUMERS', 'trim', 'g')
			return {made, #c, c[3][1], c[3][2], c[3][3], c[3][4], c[3][5],
				redis.call('XGROUP', 'DELCONSUMER', 'trim', 'g', 'b'),
				#redis.call('XPENDING', 'trim', 'g', '-', '+', 10)}`, "[1 3 name c pending 0 idle 3 0]",
		},
		{
			"milliseconds",
			`local t = redis.call('TIME')
			return #string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))`, "13",
		},
		{"publish", `return redis.call('PUBLISH', 'nobody', 'm')`, "0"},
		{
			"a caught error",
			`local r = redis.pcall('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'none', '>')
			return r.err`, "NOGROUP No such key 'none' or consumer group 'g' in XREADGROUP with GROUP option",
		},
		{"an error of one's own", `return redis.error_reply('FULL the queue is full')`, "FULL the queue is full"},
		{
			"a thousand values",
			`local t = {} for i = 1, 1000 do t[i] = i end return redis.call('RPUSH', 'list', unpack(t))`, "1000",
		},
	} {
		got, err := c.Eval(ctx, tt.script, nil).Result()
		if err != nil {
			got = err
		}
		if s := fmt.Sprint(got); s != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, s, tt.want)
		}
	}
}

// What the package comment says is different. When one of these fails,
// miniredis got better, and the comment is out of date.
func TestDifferences(t *testing.T) {
	ctx, c := t.Context(), start(t)
	if err := c.XGroupCreateMkStream(ctx, "s", "g", "0").Err(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, command, want string }{
		{"", "XADD s 1-0 f v", "1-0"},
		{"", "XADD s 2-0 f v", "2-0"},
		{"", "XREADGROUP GROUP g a STREAMS s >", "[[s [[1-0 [f v]] [2-0 [f v]]]]]"},
		{"COUNT of a history read", "XREADGROUP GROUP g a COUNT 1 STREAMS s 0", "[[s [[1-0 [f v]] [2-0 [f v]]]]]"},
		{"idle time of a consumer", "EVAL return{redis.call('XINFO','CONSUMERS','s','g')[1][6]} 0", "[-1]"},
		{"min-idle-time of XCLAIM", "XCLAIM s g b 60000 1-0 JUSTID", "[1-0]"},
		{"deliveries after JUSTID", "EVAL return{redis.call('XPENDING','s','g','-','+',1)[1][4]} 0", "[3]"},
		{"", "XDEL s 2-0", "1"},
		{"XACK of a deleted entry", "XACK s g 2-0", "0"},
		{"an id below a deleted one", "XADD s 2-0 f v", "2-0"},
		{"CLIENT ID", "CLIENT ID", "ERR unknown subcommand 'ID'. Try CLIENT HELP."},
		{"an error that is not caught", "EVAL redis.call('XLEN') 0", "ERR Error compiling script"},
	} {
		words := strings.Fields(tt.command)
		args := make([]any, len(words))
		for i, w := range words {
			args[i] = w
		}
		got, err := c.Do(ctx, args...).Result()
		if err != nil {
			got = err
		}
		if s := fmt.Sprint(got); s != tt.want && !(err != nil && strings.HasPrefix(s, tt.want)) {
			t.Errorf("%s: %s: %s, want %s", tt.name, tt.command, s, tt.want)
		}
	}
}
