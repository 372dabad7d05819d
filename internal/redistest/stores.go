package redistest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/leanmq/leanmq/leanmq/embedded"
)

// backend is what ForEachStore tests share.
type backend interface {
	url() string
	running() bool
	empty() error // as good as new, for the next test
	stop()
}

// launchers start the stores that are shared.
var launchers = map[string]func(binary, dir string) (backend, error){
	"redis": func(binary, dir string) (backend, error) {
		s, err := launch(binary, dir, nil, freePort)
		return single{s}, err
	},
	"cluster": func(binary, dir string) (backend, error) {
		c, err := launchCluster(binary, dir)
		return c, patiently(c, err)
	},
	"sentinel": func(binary, dir string) (backend, error) {
		s, err := launchSentinel(binary, dir)
		return s, patiently(s, err)
	},
}

// never is when servers of ForEachStore take each other for dead: no test stops one,
// and on a loaded machine one may not answer for seconds.
const never = time.Hour

// patiently lets no fail-over happen among servers that were launched without err.
func patiently(several interface {
	setPatience(time.Duration) error
	stop()
}, err error,
) error {
	if err != nil {
		return err
	}
	if err = several.setPatience(never); err != nil {
		several.stop()
	}
	return err
}

// single is a server as a store.
type single struct{ *server }

func (s single) empty() error { return empty(s.addr()) }

func (s single) stop() { s.kill() } // there is nothing to save

// shared is the stores of all ForEachStore tests in this binary, by name.
var shared struct {
	mu     sync.Mutex
	stores map[string]*sharedStore // those that were used
	main   bool                    // Main is there to stop them
}

type sharedStore struct {
	backend
	dir string
}

// storesEnv names the stores of ForEachStore.
const storesEnv = "LEANMQ_STORES"

// stores are the names in LEANMQ_STORES.
func stores() ([]string, error) {
	list := os.Getenv(storesEnv)
	if list == "" {
		list = "embedded,redis"
	}
	names := strings.Split(list, ",")
	for _, name := range names {
		if launchers[name] == nil && name != "embedded" {
			return nil, fmt.Errorf("%s: there is no store %q: want some of embedded, redis, cluster, sentinel", storesEnv, name)
		}
	}
	return names, nil
}

// ForEachStore runs a test as a subtest for each of the stores that LEANMQ_STORES
// names, each with the URL of an empty one: "embedded", "redis" (one server),
// "cluster" and "sentinel". Default: embedded,redis.
//
// The subtests run at the same time, so they must not share what they write.
//
// All but the embedded ones are the same for all tests, and a queue, a script or a
// subscriber cannot tell their databases apart; so they are emptied before each
// subtest, and neither the test nor those it is part of may be parallel.
func ForEachStore(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	names, err := stores()
	if err != nil {
		t.Fatal(err)
	}
	// A test that has set a variable panics when it is, or becomes, parallel.
	t.Setenv("LEANMQ_REDISTEST_NOT_PARALLEL", "1")
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, name := range names {
		wg.Go(func() {
			t.Run(name, func(t *testing.T) {
				if name == "embedded" {
					test(t, ownURL(t, name))
				} else {
					test(t, sharedURL(t, name))
				}
			})
		})
	}
}

// ForEachOwnStore is ForEachStore for tests that take seconds: they run at the same
// time, each on stores of its own.
func ForEachOwnStore(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	names, err := stores()
	if err != nil {
		t.Fatal(err)
	}
	t.Parallel()
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, ownURL(t, name))
		})
	}
}

func ownURL(t *testing.T, name string) string {
	switch name {
	case "embedded":
		s, err := embedded.Start()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s.URL()
	case "redis":
		return Server(t).URL()
	default:
		s, err := launchers[name](findRedis(t), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.stop)
		return s.url()
	}
}

// Main is the body of a TestMain: it runs the tests (m is a *testing.M), stops the shared
// server, fails if goroutines are left, and exits.
func Main(m interface{ Run() int }, leakOptions ...goleak.Option) {
	shared.mu.Lock()
	shared.main = true
	shared.mu.Unlock()

	code := m.Run()
	stopShared()
	// After a failure the goroutines of the failed test would hide its cause.
	if code == 0 {
		if err := goleak.Find(leakOptions...); err != nil {
			fmt.Fprintln(os.Stderr, "redistest:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// sharedURL is where a shared store is, running and empty.
func sharedURL(t *testing.T, name string) string {
	t.Helper()
	binary := findRedis(t)
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if !shared.main {
		t.Fatal("ForEachStore needs: func TestMain(m *testing.M) { redistest.Main(m) }")
	}
	s := shared.stores[name]
	if s == nil || !s.running() {
		var err error
		if s, err = startShared(name, binary); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.empty(); err != nil {
		t.Fatal(err)
	}
	return s.url()
}

// startShared also replaces a store that some test has shut down.
func startShared(name, binary string) (*sharedStore, error) {
	if old := shared.stores[name]; old != nil {
		old.stop()
		_ = os.RemoveAll(old.dir)
		delete(shared.stores, name)
	}
	dir, err := os.MkdirTemp("", "leanmq-redis-")
	if err != nil {
		return nil, err
	}
	s, err := launchers[name](binary, dir)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	if shared.stores == nil {
		shared.stores = map[string]*sharedStore{}
	}
	shared.stores[name] = &sharedStore{s, dir}
	return shared.stores[name], nil
}

func stopShared() {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	for _, s := range shared.stores {
		s.stop()
		_ = os.RemoveAll(s.dir)
	}
	clear(shared.stores)
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
