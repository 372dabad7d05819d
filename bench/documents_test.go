package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/leanmq/leanmq/bench/report"
	"github.com/leanmq/leanmq/bench/scenario"
)

// The documents show the figures of the newest run that is kept, those that were missed
// included, and its charts.
func TestDocumentsShowTheFigures(t *testing.T) {
	runs, err := filepath.Glob("../docs/bench/*.jsonl")
	if err != nil || len(runs) == 0 {
		t.Fatalf("no run is kept: %v", err)
	}
	run := slices.Max(runs)
	meta, results, err := readRun(run)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"../README.md", "../docs/performance.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !tables.Match(text) || !bytes.Equal(text, withTables(text, meta, scenario.All(), results)) {
			t.Errorf("%s shows other figures than %s: go run . -from %s -update %s", file, run, run, file)
		}
	}
	for name, chart := range report.Charts(scenario.All(), results) {
		drawn, err := os.ReadFile(filepath.Join("../docs/bench", name+".svg"))
		if err == nil && string(drawn) != chart.SVG() {
			t.Errorf("%s.svg shows other figures than %s", name, run)
		}
	}
}
