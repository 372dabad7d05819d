package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
)

// The test binary is the program as well, and so its workers.
const asProgram = "BALANCE_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	redistest.Main(m)
}

func TestTheBooksAreRight(t *testing.T) {
	for name, args := range map[string]func(t *testing.T) []string{
		"embedded": func(*testing.T) []string { return nil },
		"redis":    func(t *testing.T) []string { return []string{"-redis", redistest.Server(t).URL()} },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0], args(t)...)
			cmd.Env = append(os.Environ(), asProgram+"=1")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, line := range []string{
				"worker 5 is killed after transfer ", "500 transfers were applied, each once; 500 receipts\n",
				"together 2000: the books are right\n",
			} {
				if !strings.Contains(string(out), line) {
					t.Errorf("no %q in\n%s", line, out)
				}
			}
		})
	}
}

func TestOneServerIsWanted(t *testing.T) {
	for _, url := range []string{"redis+cluster://localhost:7000", "redis+sentinel://localhost:26379?master_name=main"} {
		err := run(t.Context(), url)
		if err == nil || !strings.Contains(err.Error(), "a single server, such as redis://localhost:6379") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
