package redistest

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/testkit"
)

func TestMain(m *testing.M) { Main(m) }

func connect(t *testing.T, url string) *redis.Client {
	t.Helper()
	opts, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	opts.MaxRetries = -1
	opts.DialerRetries = 1
	opts.ContextTimeoutEnabled = true
	c := redis.NewClient(opts)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestKillAndStartAgain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string
		end  func(*RedisServer)
		want error
	}{
		{"stopped", nil, (*RedisServer).Stop, redis.Nil},
		{"killed", nil, (*RedisServer).Kill, redis.Nil},
		{"killed, with a synced file", []string{"--appendonly", "yes", "--appendfsync", "always"}, (*RedisServer).Kill, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, s := t.Context(), Server(t, tt.args...)
			addr, c := s.Addr(), connect(t, s.URL())
			if err := c.Set(ctx, "k", "v", 0).Err(); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time there is nothing to end
				tt.end(s)
				if err := c.Ping(ctx).Err(); err == nil {
					t.Fatal("the server answers")
				}
			}
			s.Start()
			if s.Addr() != addr {
				t.Errorf("was at %s, is at %s", addr, s.Addr())
			}
			if err := c.Get(ctx, "k").Err(); !errors.Is(err, tt.want) {
				t.Errorf("the key after the restart: %v, want %v", err, tt.want)
			}
		})
	}
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	s := Server(t)
	c := connect(t, s.URL())
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var timeout net.Error
	if err := c.Ping(ctx).Err(); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("a paused server: %v", err)
	}
	s.Resume()
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
	s.Pause()
	s.Stop() // a paused server too, and without waiting for the limit
}

func TestServerWithPassword(t *testing.T) {
	t.Parallel()
	s := Server(t, "--requirepass", "secret")
	c := connect(t, strings.Replace(s.URL(), "redis://", "redis://:secret@", 1))
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

// The worst port is one at which another Redis answers.
func TestTakenPort(t *testing.T) {
	t.Parallel()
	taken := Server(t)
	tries := 0
	s, err := launch(findRedis(t), t.TempDir(), nil, func() (int, error) {
		if tries++; tries == 1 {
			return taken.s.port, nil
		}
		return freePort()
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.kill()
	if s.addr() == taken.Addr() || tries < 2 {
		t.Errorf("started at %s in %d tries, where a server was at %s", s.addr(), tries, taken.Addr())
	}
}

func TestServerThatCannotStart(t *testing.T) {
	t.Parallel()
	_, err := launch(findRedis(t), t.TempDir(), []string{"--no-such-setting", "1"}, freePort)
	if err == nil || !strings.Contains(err.Error(), "no-such-setting") {
		t.Errorf("%v, which does not name the setting", err)
	}
}

func TestWithoutRedis(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for require, want := range map[string]string{"": "skipped: ", "0": "skipped: ", "1": "failed: "} {
		t.Setenv("LEANMQ_REQUIRE_REDIS", require)
		end := testkit.Ending(t, func(t testing.TB) { Server(t) })
		if !strings.HasPrefix(end, want) || !strings.Contains(end, "redis-server") {
			t.Errorf("LEANMQ_REQUIRE_REDIS=%s: %s", require, end)
		}
	}
}

func TestForEachStore(t *testing.T) {
	findRedis(t)
	t.Setenv(storesEnv, "")
	var mu sync.Mutex
	stores := map[string]bool{}
	for range 2 {
		ForEachStore(t, func(t *testing.T, url string) {
			mu.Lock()
			stores[url] = true
			mu.Unlock()
			ctx, c := t.Context(), connect(t, url)
			script := redis.NewScript("return 1")
			if n, err := c.DBSize(ctx).Result(); err != nil || n != 0 {
				t.Errorf("%d keys, %v", n, err)
			}
			if there, err := script.Exists(ctx, c).Result(); err != nil || there[0] {
				t.Errorf("a script of another test: %v, %v", there, err)
			}
			c.Set(ctx, "k", "v", 0)
			script.Load(ctx, c)
		})
	}
	if len(stores) != 3 { // one real server, two embedded ones
		t.Errorf("ran against %v", stores)
	}
}

func TestSharedServerIsReplaced(t *testing.T) {
	findRedis(t)
	t.Setenv(storesEnv, "")
	for range 2 {
		ForEachStore(t, func(t *testing.T, url string) {
			c := connect(t, url)
			if err := c.Ping(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(t.Name(), "redis") {
				c.ShutdownNoSave(t.Context())
				testkit.Eventually(t, "it is down", func() bool { return !shared.stores["redis"].running() })
			}
		})
	}
}

func TestServerDiesWithTheTestBinary(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux can be told to")
	}
	findRedis(t)
	testkit.DiesWithTheTest(t, "tcp", func() string { return Server(t).Addr() }, "TMPDIR="+t.TempDir())
}
