package embedded

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

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
