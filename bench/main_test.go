package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leanmq/leanmq/bench/report"
)

func TestRun(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("needs redis-server")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "run.jsonl")
	err := run(t.Context(), []string{"-quick", "-rounds", "2", "-scenario", "send/1,process/16B", "-system", "leanmq,bare,jetstream", "-json", file, "-svg", dir})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	first, rest, _ := strings.Cut(string(text), "\n")
	var meta report.Meta
	if err := json.Unmarshal([]byte(first), &meta); err != nil || !meta.Quick || meta.Versions["redis-server"] == "" {
		t.Errorf("the first line is %s (%v)", first, err)
	}
	rates := 0
	for line := range strings.Lines(rest) {
		var r report.Result
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if r.Metric == "rate" && r.Value > 0 && len(r.Runs) == 2 {
			rates++
		}
	}
	if rates != 6 {
		t.Errorf("there are %d rates of two rounds, want one for each of 3 systems in 2 scenarios:\n%s", rates, text)
	}
	for _, chart := range []string{"send.svg", "process-variants.svg"} {
		if _, err := os.Stat(filepath.Join(dir, chart)); err != nil {
			t.Error(err)
		}
	}
}

func TestChooseRefusesUnknownNames(t *testing.T) {
	for _, tt := range []struct{ scenario, system, want string }{
		{"sent", "", "send/100"},
		{"", "celery", "watermill"},
		{"http", "asynq", "no scenario"},
	} {
		if _, err := choose(tt.scenario, tt.system); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("choose(%q, %q) = %v, want an error with %q", tt.scenario, tt.system, err, tt.want)
		}
	}
}
