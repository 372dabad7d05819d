package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/leanmq/leanmq/internal/redistest"
)

// The scripts run this test binary as dlqctl: a process of its own, with
// arguments, an environment, an exit code and, in some, a terminal.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "dlqctl" {
		main()
	}
	redistest.Main(m)
}

func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts: ", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".txtar"), func(t *testing.T) {
			redistest.ForEachStore(t, func(t *testing.T, url string) {
				testscript.Run(t, testscript.Params{
					Files:              []string{script},
					RequireUniqueNames: true,
					Setup: func(env *testscript.Env) error {
						bin := filepath.Join(env.WorkDir, ".bin")
						env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
						env.Setenv("LEANMQ_REDIS_URL", url)
						env.Setenv("URL", url)
						env.Setenv("ESC", "\x1b")
						// The race detector lets a process sleep for 1 s when it ends.
						env.Setenv("GORACE", "atexit_sleep_ms=0")
						if err := os.Mkdir(bin, 0o700); err != nil {
							return err
						}
						return os.Symlink(self, filepath.Join(bin, "dlqctl"))
					},
					Cmds: map[string]func(*testscript.TestScript, bool, []string){
						"exits":    exits,
						"lines":    lines,
						"harmless": harmless,
						"onlynote": onlyNote,
						"publish":  publish,
						"seed":     seed,
					},
				})
			})
		})
	}
}

// exits CODE COMMAND... runs a command and checks its exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("%s exits with %d: want %s", args[1:], code, args[0])
	}
}

// lines N stdout|stderr checks how many lines there are.
func lines(ts *testscript.TestScript, _ bool, args []string) {
	if n := strings.Count(ts.ReadFile(args[1]), "\n"); strconv.Itoa(n) != args[0] {
		ts.Fatalf("%d lines in %s: want %s", n, args[1], args[0])
	}
}

// harmless checks that no output can steer a terminal.
func harmless(ts *testscript.TestScript, _ bool, _ []string) {
	for _, name := range []string{"stdout", "stderr"} {
		for i, r := range ts.ReadFile(name) {
			if r != '\n' && !unicode.IsGraphic(r) {
				ts.Fatalf("%s has %U at byte %d", name, r, i)
			}
		}
	}
}

// onlyNote TEXT checks that the last command printed this note and nothing else.
func onlyNote(ts *testscript.TestScript, _ bool, args []string) {
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("stdout is %q", out)
	}
	if got, want := ts.ReadFile("stderr"), args[0]+"\n"; got != want {
		ts.Fatalf("stderr is %q: want %q", got, want)
	}
}
