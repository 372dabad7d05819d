package pgtest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) { os.Exit(With(m).Run()) }

func count(t *testing.T, url, sql string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDatabasesAreEmpty(t *testing.T) {
	t.Parallel()
	urls := map[string]bool{}
	for range 2 {
		url := Database(t)
		urls[url] = true
		if n := count(t, url, "WITH t AS (SELECT count(*) AS n FROM pg_tables WHERE schemaname = 'public') SELECT n FROM t"); n != 0 {
			t.Errorf("%d tables", n)
		}
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), "CREATE TABLE t (n int)"); err != nil {
			t.Error(err)
		}
		// The connection is left open: the database goes all the same.
	}
	if len(urls) != 2 {
		t.Errorf("two databases are %v", urls)
	}
}

func TestServerStartsAgainWithWhatWasCommitted(t *testing.T) {
	t.Parallel()
	s := Server(t)
	conn, err := pgx.Connect(t.Context(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "CREATE TABLE t AS SELECT 7 AS n"); err != nil {
		t.Fatal(err)
	}
	for _, end := range []func(){s.Kill, s.Stop} {
		end()
		end() // the second time there is nothing to end
		if err := conn.Ping(t.Context()); err == nil {
			t.Error("the server answers")
		}
		s.Start()
		if n := count(t, s.URL(), "SELECT n FROM t"); n != 7 {
			t.Errorf("n is %d", n)
		}
	}
}

// fakeTest records how a test ended.
type fakeTest struct {
	testing.TB
	end string
}

func (f *fakeTest) Helper() {}

func (f *fakeTest) Skipf(format string, args ...any) {
	f.end = "skipped: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (f *fakeTest) Fatalf(format string, args ...any) {
	f.end = "failed: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestWithoutPostgres(t *testing.T) {
	was := debian
	t.Cleanup(func() { debian = was })
	debian = filepath.Join(t.TempDir(), "*")
	t.Setenv("PATH", t.TempDir())
	for require, want := range map[string]string{"": "skipped: ", "1": "failed: "} {
		t.Setenv("LEANMQ_REQUIRE_POSTGRES", require)
		f := &fakeTest{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			Server(f)
		}()
		<-done
		if !strings.HasPrefix(f.end, want) {
			t.Errorf("LEANMQ_REQUIRE_POSTGRES=%s: %s", require, f.end)
		}
	}
}

// The test runs itself a second time, kills that, and looks for its server.
func TestServerDiesWithTheTestBinary(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux can be told to")
	}
	const child = "LEANMQ_PGTEST_CHILD"
	if os.Getenv(child) != "" {
		fmt.Println("dir", Server(t).s.dir)
		select {}
	}
	find(t)
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), child+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dir := ""
	for lines := bufio.NewScanner(out); dir == "" && lines.Scan(); {
		if d, ok := strings.CutPrefix(lines.Text(), "dir "); ok {
			dir = d
		}
	}
	if dir == "" {
		t.Fatal("the child started no server")
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, ".s.PGSQL.5432")
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Error(err)
	} else {
		defer conn.Close()
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for begin := time.Now(); ; time.Sleep(pollEvery) {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return
		}
		_ = conn.Close()
		if time.Since(begin) > 30*time.Second {
			t.Fatal("the server outlives the test binary")
		}
	}
}
