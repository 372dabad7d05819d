package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/testkit"
)

const (
	startLimit = 20 * time.Second // a loaded CI machine, an AOF to read
	stopLimit  = 10 * time.Second
)

// RedisServer is a redis-server process that belongs to a test. Its methods end
// the test when they fail, so they are for the test's goroutine.
type RedisServer struct {
	t testing.TB
	s *server
}

// Server starts a redis-server that persists nothing and is stopped when the
// test ends. Args are added to its command line, where the last setting wins:
// "--appendonly", "yes".
func Server(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	binary := findRedis(t)
	s, err := launch(binary, t.TempDir(), args, freePort)
	if err != nil {
		t.Fatal(err)
	}
	// Registered after TempDir's own cleanup, hence run before it: nothing
	// writes into a directory that is being removed.
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return &RedisServer{t: t, s: s}
}

// Addr is the server's host:port, the same after every Start.
func (r *RedisServer) Addr() string { return r.s.addr() }

// URL is the server's redis:// URL.
func (r *RedisServer) URL() string { return r.s.url() }

// Stop shuts the server down in order and waits for it. A server that is not
// running stays so.
func (r *RedisServer) Stop() {
	r.t.Helper()
	if err := r.s.stop(); err != nil {
		r.t.Fatal(err)
	}
}

// Kill ends the server as a crash would and waits for it.
func (r *RedisServer) Kill() { r.s.kill() }

// Start starts a stopped or killed server again, on the same port and with the
// files it left.
func (r *RedisServer) Start() {
	r.t.Helper()
	// Someone else may have got the port in the meantime; a client's own
	// connection gives it back soon.
	deadline := time.Now().Add(startLimit)
	err := r.s.start()
	for errors.Is(err, errPortTaken) && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
		err = r.s.start()
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// Pause halts the server: it keeps its connections and the kernel accepts new
// ones, but nothing is answered until Resume.
func (r *RedisServer) Pause() {
	r.t.Helper()
	if err := r.s.signal(sigStop); err != nil {
		r.t.Fatal(err)
	}
}

// Resume lets a paused server continue.
func (r *RedisServer) Resume() {
	r.t.Helper()
	if err := r.s.signal(sigCont); err != nil {
		r.t.Fatal(err)
	}
}

// findRedis is the redis-server to start. It does not return without one.
func findRedis(t testing.TB) string {
	t.Helper()
	path, err := Binary()
	if err == nil {
		return path
	}
	if os.Getenv("LEANMQ_REQUIRE_REDIS") == "1" {
		t.Fatalf("LEANMQ_REQUIRE_REDIS=1, but there is no redis-server: %v", err)
	}
	t.Skipf("needs redis-server (LEANMQ_REQUIRE_REDIS=1 makes this a failure): %v", err)
	return ""
}

// Binary finds the program of the servers: LEANMQ_REDIS_SERVER, which may name
// another one such as valkey-server, or else redis-server.
func Binary() (string, error) {
	name := os.Getenv("LEANMQ_REDIS_SERVER")
	if name == "" {
		name = "redis-server"
	}
	return exec.LookPath(name)
}

// server is a RedisServer without a test to fail.
type server struct {
	binary, dir string
	args        []string
	config      string // file of a sentinel, which has all its settings there
	port        int

	mu   sync.Mutex
	proc *testkit.Process // the last one that was started
}

var errPortTaken = errors.New("the port is taken")

// launch starts a server on the first of the ports that turns out to be free.
func launch(binary, dir string, args []string, port func() (int, error)) (*server, error) {
	var err error
	for range 20 {
		s := &server{binary: binary, dir: dir, args: args}
		if s.port, err = port(); err != nil {
			return nil, err
		}
		if err = s.start(); err == nil {
			return s, nil
		}
		if !errors.Is(err, errPortTaken) {
			return nil, err
		}
	}
	return nil, err
}

// freePort finds a port below those that the kernel hands out. One of theirs
// could be taken by a client's connection while the server is down, even by a
// client that dials this very port and so gets connected to itself.
func freePort() (int, error) {
	for range 1000 {
		port := 10000 + rand.IntN(22000)
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no free port between 10000 and 32000")
}

func (s *server) addr() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

func (s *server) url() string { return "redis://" + s.addr() }

// start returns when the server answers.
func (s *server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc.Running() {
		return errors.New("redis-server is running already")
	}
	// A file of its own for every start, so that an old failure in it is not
	// taken for a new one. A file and not a buffer: no goroutine has to copy.
	log, err := os.CreateTemp(s.dir, "redis-*.log")
	if err != nil {
		return err
	}
	defer log.Close()

	args := slices.Concat([]string{
		"--bind", "127.0.0.1", "--port", strconv.Itoa(s.port),
		"--dir", s.dir, "--save", "", "--appendonly", "no",
	}, s.args)
	if s.config != "" {
		args = []string{s.config, "--sentinel"}
	}
	cmd := exec.Command(s.binary, args...)
	cmd.Stdout, cmd.Stderr = log, log
	dieWithParent(cmd)
	if s.proc, err = testkit.Launch(cmd); err != nil {
		return err
	}
	if err := s.proc.Await(func() bool { return answers(s.addr(), s.proc.Pid()) }, startLimit); err != nil {
		s.proc.Kill()
		text, _ := os.ReadFile(log.Name())
		if strings.Contains(string(text), "Address already in use") {
			return fmt.Errorf("redis-server at %s: %w", s.addr(), errPortTaken)
		}
		return fmt.Errorf("%w:\n%s", err, testkit.LastLines(text))
	}
	return nil
}

func (s *server) running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc.Running()
}

func (s *server) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.proc.Running() {
		return nil
	}
	// A paused process gets the signal when it continues.
	_ = s.proc.Signal(syscall.SIGTERM)
	return s.proc.End(sigCont, stopLimit)
}

func (s *server) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc.Running() {
		s.proc.Kill()
	}
}

func (s *server) signal(sig os.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.proc.Running() {
		return errors.New("redis-server is not running")
	}
	return s.proc.Signal(sig)
}

// answers reports whether the process with this pid, and not some other Redis,
// answers at addr.
func answers(addr string, pid int) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := io.WriteString(conn, "PING\r\nINFO server\r\n"); err != nil {
		return false
	}
	lines := bufio.NewScanner(conn)
	if !lines.Scan() {
		return false
	}
	switch reply := lines.Text(); {
	case strings.HasPrefix(reply, "-NOAUTH"):
		return true // it would not tell its pid; most likely it is ours
	case reply != "+PONG":
		return false // loading
	}
	for lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "process_id:"); ok {
			return id == strconv.Itoa(pid)
		}
	}
	return false
}
