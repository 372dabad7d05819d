package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/leanmq/leanmq/internal/testkit"
)

const (
	startLimit = time.Minute // a loaded CI machine, a crash to recover from
	stopLimit  = 20 * time.Second
)

// PostgresServer is a PostgreSQL server that belongs to a test. Its methods end the
// test when they fail, so they are for the test's goroutine.
type PostgresServer struct {
	t testing.TB
	s *server
}

// Server starts a PostgreSQL server that is stopped when the test ends.
func Server(t testing.TB) *PostgresServer {
	t.Helper()
	s, err := launch(find(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.remove)
	return &PostgresServer{t, s}
}

// URL is the connection string of the server's database "postgres", the same after
// every Start.
func (p *PostgresServer) URL() string { return p.s.url("postgres") }

// Stop shuts the server down: it ends all connections and loses nothing.
func (p *PostgresServer) Stop() {
	p.t.Helper()
	if err := p.s.end(syscall.SIGINT); err != nil {
		p.t.Fatal(err)
	}
}

// Kill ends the server as a crash would: what was not committed is lost.
func (p *PostgresServer) Kill() {
	p.t.Helper()
	if err := p.s.end(syscall.SIGQUIT); err != nil {
		p.t.Fatal(err)
	}
}

// Start starts a stopped or killed server again.
func (p *PostgresServer) Start() {
	p.t.Helper()
	if err := p.s.start(); err != nil {
		p.t.Fatal(err)
	}
}

// debian is where Debian has the programs, which are not in PATH there.
var debian = "/usr/lib/postgresql/*/bin"

// find returns the directory of the server's programs. It does not return without
// one.
func find(t testing.TB) string {
	t.Helper()
	dirs, _ := filepath.Glob(debian)
	slices.Sort(dirs)
	for _, dir := range slices.Backward(dirs) {
		if isProgram(filepath.Join(dir, "initdb")) && isProgram(filepath.Join(dir, "postgres")) {
			return dir
		}
	}
	initdb, err := exec.LookPath("initdb")
	if err == nil {
		initdb, err = filepath.EvalSymlinks(initdb)
	}
	if err == nil && isProgram(filepath.Join(filepath.Dir(initdb), "postgres")) {
		return filepath.Dir(initdb)
	}
	if os.Getenv("LEANMQ_REQUIRE_POSTGRES") == "1" {
		t.Fatalf("LEANMQ_REQUIRE_POSTGRES=1, but there is neither a PostgreSQL in /usr/lib/postgresql nor in PATH")
	}
	t.Skipf("needs PostgreSQL in /usr/lib/postgresql or PATH (LEANMQ_REQUIRE_POSTGRES=1 makes this a failure)")
	return ""
}

func isProgram(path string) bool {
	s, err := os.Stat(path)
	return err == nil && s.Mode().IsRegular() && s.Mode()&0o111 != 0
}

// server is a PostgresServer without a test to fail.
type server struct {
	bin, dir string
	owner    *owner

	mu   sync.Mutex
	proc *testkit.Process
}

// launch makes a server's directory and starts it.
func launch(bin string) (*server, error) {
	owner, err := findOwner()
	if err != nil {
		return nil, err
	}
	// Not a directory of the test's: those are private to our user.
	dir, err := os.MkdirTemp("", "leanmq-pg-")
	if err != nil {
		return nil, err
	}
	s := &server{bin: bin, dir: dir, owner: owner}
	if err = owner.give(dir); err == nil {
		err = s.initdb()
	}
	if err == nil {
		err = s.start()
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return s, nil
}

func (s *server) url(database string) string {
	return fmt.Sprintf("host=%s user=postgres dbname=%s sslmode=disable", s.dir, database)
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

func (s *server) initdb() error {
	cmd := exec.Command(filepath.Join(s.bin, "initdb"), "--pgdata", s.data(), "--username", "postgres",
		"--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync", "--wal-segsize", "1")
	cmd.Dir = s.dir
	s.owner.prepare(cmd)
	out, err := os.CreateTemp("", "leanmq-initdb-")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	p, err := testkit.Launch(cmd)
	if err != nil {
		return err
	}
	if err := p.Wait(); err != nil {
		return fmt.Errorf("initdb in %s: %w:\n%s", s.dir, err, lastLines(out.Name()))
	}
	return nil
}

// start returns when the server answers.
func (s *server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc.Running() {
		return errors.New("postgres is running already")
	}
	log, err := os.CreateTemp("", "leanmq-pg-log-")
	if err != nil {
		return err
	}
	defer os.Remove(log.Name())
	defer log.Close()

	args := []string{"-D", s.data(), "-k", s.dir}
	for _, setting := range []string{
		"listen_addresses=", "fsync=off", "full_page_writes=off", "shared_buffers=16MB",
		"max_connections=50", "log_min_messages=fatal", "jit=off",
	} {
		args = append(args, "-c", setting)
	}
	cmd := exec.Command(filepath.Join(s.bin, "postgres"), args...)
	cmd.Dir = s.dir
	cmd.Stdout, cmd.Stderr = log, log
	s.owner.prepare(cmd)
	if s.proc, err = testkit.Launch(cmd); err != nil {
		return err
	}
	if err := s.proc.Await(s.answers, startLimit); err != nil {
		_ = s.proc.End(syscall.SIGQUIT, stopLimit)
		return fmt.Errorf("%w:\n%s", err, lastLines(log.Name()))
	}
	return nil
}

func (s *server) answers() bool { return s.exec("SELECT 1") == nil }

// exec runs a statement as the superuser.
func (s *server) exec(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

func (s *server) end(sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.proc.Running() {
		return nil
	}
	return s.proc.End(sig, stopLimit)
}

// remove ends the server and deletes what it had.
func (s *server) remove() {
	_ = s.end(syscall.SIGQUIT)
	_ = os.RemoveAll(s.dir)
}

func lastLines(file string) string {
	text, _ := os.ReadFile(file)
	return testkit.LastLines(text)
}
