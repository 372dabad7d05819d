package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"

	"github.com/leanmq/leanmq/bench/report"
	"github.com/leanmq/leanmq/bench/scenario"
)

// tables are the places of documents that show figures of a run: those of all scenarios,
// or of plain ones.
var tables = regexp.MustCompile(`(?s)(<!-- figures: (all|plain) -->\n).*?(<!-- /figures -->)`)

// update writes the tables of a document anew.
func update(file string, meta report.Meta, scenarios []*scenario.Scenario, rs *report.Results) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !tables.Match(text) {
		return fmt.Errorf("%s has no place for figures: want <!-- figures: all --> … <!-- /figures -->", file)
	}
	return os.WriteFile(file, withTables(text, meta, scenarios, rs), 0o644)
}

func withTables(text []byte, meta report.Meta, scenarios []*scenario.Scenario, rs *report.Results) []byte {
	return tables.ReplaceAllFunc(text, func(old []byte) []byte {
		parts := tables.FindSubmatch(old)
		table := report.Markdown(meta, scenarios, rs, string(parts[2]) == "all")
		return bytes.Join([][]byte{parts[1], []byte(table), parts[3]}, nil)
	})
}
