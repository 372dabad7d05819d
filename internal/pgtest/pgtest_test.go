package pgtest

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/leanmq/leanmq/internal/testkit"
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

func TestWithoutPostgres(t *testing.T) {
	was := debian
	t.Cleanup(func() { debian = was })
	debian = filepath.Join(t.TempDir(), "*")
	t.Setenv("PATH", t.TempDir())
	for require, want := range map[string]string{"": "skipped: ", "1": "failed: "} {
		t.Setenv("LEANMQ_REQUIRE_POSTGRES", require)
		end := testkit.Ending(t, func(t testing.TB) { Server(t) })
		if !strings.HasPrefix(end, want) {
			t.Errorf("LEANMQ_REQUIRE_POSTGRES=%s: %s", require, end)
		}
	}
}

func TestServerDiesWithTheTestBinary(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux can be told to")
	}
	find(t)
	socket := testkit.DiesWithTheTest(t, "unix", func() string { return filepath.Join(Server(t).s.dir, ".s.PGSQL.5432") })
	_ = os.RemoveAll(filepath.Dir(socket))
}
