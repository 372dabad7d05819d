package redistest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/leanmq/leanmq/leanmq/embedded"
)

// shared is the server of all ForEachStore tests in this binary.
var shared struct {
	mu     sync.Mutex
	server *server // nil until the first use
	main   bool    // Main is there to stop it
}

// ForEachStore runs a test as a subtest "embedded" and as a subtest "redis",
// each with the URL of an empty store.
//
// The real server is the same for all tests, and a queue, a script or a
// subscriber cannot tell its databases apart; so it is emptied before each
// subtest, and neither the test nor those it is part of may be parallel.
func ForEachStore(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) {
		s, err := embedded.Start()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		test(t, s.URL())
	})
	t.Run("redis", func(t *testing.T) {
		// A test that has set a variable panics when it is, or becomes,
		// parallel.
		t.Setenv("LEANMQ_REDISTEST_NOT_PARALLEL", "1")
		test(t, sharedURL(t))
	})
}

// Main is the body of a TestMain: it runs the tests (m is a *testing.M), stops the shared server,
// fails if goroutines are left, and exits.
func Main(m interface{ Run() int }, leakOptions ...goleak.Option) {
	shared.mu.Lock()
	shared.main = true
	shared.mu.Unlock()

	code := m.Run()
	if err := stopShared(); err != nil {
		fmt.Fprintln(os.Stderr, "redistest:", err)
		code = max(code, 1)
	}
	// After a failure the goroutines of the failed test would hide its cause.
	if code == 0 {
		if err := goleak.Find(leakOptions...); err != nil {
			fmt.Fprintln(os.Stderr, "redistest:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// sharedURL is where the shared server is, running and empty.
func sharedURL(t *testing.T) string {
	t.Helper()
	binary := findRedis(t)
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if !shared.main {
		t.Fatal("ForEachStore needs: func TestMain(m *testing.M) { redistest.Main(m) }")
	}
	if shared.server == nil || !shared.server.running() {
		if err := startShared(binary); err != nil {
			t.Fatal(err)
		}
	}
	if err := empty(shared.server.addr()); err != nil {
		t.Fatal(err)
	}
	return shared.server.url()
}

// startShared also replaces a server that some test has shut down.
func startShared(binary string) error {
	if shared.server != nil {
		_ = os.RemoveAll(shared.server.dir)
		shared.server = nil
	}
	dir, err := os.MkdirTemp("", "leanmq-redis-")
	if err != nil {
		return err
	}
	s, err := launch(binary, dir, nil, freePort)
	if err != nil {
		_ = os.RemoveAll(dir)
		return err
	}
	shared.server = s
	return nil
}

func stopShared() error {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server == nil {
		return nil
	}
	err := shared.server.stop()
	if rerr := os.RemoveAll(shared.server.dir); err == nil {
		err = rerr
	}
	shared.server = nil
	return err
}

// empty makes a server as good as new for the next test: without its keys, and
// without its scripts, which would hide that a test relies on another's.
func empty(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	replies := bufio.NewReader(conn)
	for _, command := range []string{"FLUSHALL", "SCRIPT FLUSH"} {
		if _, err := io.WriteString(conn, command+"\r\n"); err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
		reply, err := replies.ReadString('\n')
		if err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
		if reply != "+OK\r\n" {
			return fmt.Errorf("%s: %q", command, reply)
		}
	}
	return nil
}
