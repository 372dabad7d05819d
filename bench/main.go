// Bench measures this project, the bare floor and what a user would pick instead,
// side by side in one run:
//
//	go run .                              all of it: about an hour
//	go run . -quick                       whether it works: less than two minutes
//	go run . -scenario send/100           one scenario, or a family of them
//	go run . -system leanmq,bare          some systems
//	go run . -json run.jsonl -svg charts  figures as JSON lines, and charts
//	go run . -from run.jsonl -update ../README.md,../docs/performance.md
//	                                      tables and charts of a run that was written
//	go run . -cpuprofile cpu -memprofile mem -system leanmq -scenario request/100
//
// Every run of a system has a redis-server, or a NATS server in this process, of its
// own. Systems take turns in rounds, each round in another order. redis-server 7.0 or
// newer has to be on PATH.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/leanmq/leanmq/bench/report"
	"github.com/leanmq/leanmq/bench/scenario"
	"github.com/leanmq/leanmq/bench/system"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	quick := flags.Bool("quick", false, "only show that all works")
	only := flags.String("scenario", "", "comma-separated `names` of scenarios, or of families of them")
	with := flags.String("system", "", "comma-separated `names` of systems")
	span := flags.Duration("time", 0, "how `long` a measurement takes (default 2s, with -quick 60ms)")
	cpuProfile := flags.String("cpuprofile", "", "`file` for a CPU profile of this process")
	memProfile := flags.String("memprofile", "", "`file` for a profile of its allocations")
	rounds := flags.Int("rounds", 0, "how often all is measured (default 5, with -quick 1)")
	jsonFile := flags.String("json", "", "`file` for all figures, as JSON lines")
	svgDir := flags.String("svg", "", "`directory` for charts")
	from := flags.String("from", "", "`file` that -json wrote: show its figures instead of measuring")
	documents := flags.String("update", "", "comma-separated `files` of Markdown whose tables of figures are written anew")
	_ = flags.Parse(args)
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	scenarios, err := choose(*only, *with)
	if err != nil {
		return err
	}
	publish := func(meta report.Meta, results *report.Results) error {
		var errs []error
		if *svgDir != "" {
			errs = append(errs, draw(*svgDir, report.Charts(scenarios, results)))
		}
		for _, file := range strings.FieldsFunc(*documents, func(c rune) bool { return c == ',' }) {
			errs = append(errs, update(file, meta, scenarios, results))
		}
		return errors.Join(errs...)
	}
	if *from != "" {
		meta, results, err := readRun(*from)
		if err != nil {
			return err
		}
		return publish(meta, results)
	}
	scale := scenario.Full
	if *quick {
		scale = scenario.Quick
	}
	if *rounds > 0 {
		scale.Rounds = *rounds
	}
	if *span > 0 {
		scale.Time = *span
	}
	stopProfiles, err := profile(*cpuProfile, *memProfile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProfiles()) }()
	meta, err := newMeta(scale, *quick)
	if err != nil {
		return err
	}
	fmt.Print(report.Head(meta))
	var results report.Results
	var errs []error
	for _, s := range scenarios {
		failed := measureScenario(ctx, s, scale, &results)
		if ctx.Err() != nil {
			errs = append(errs, fmt.Errorf("interrupted in %s: what follows was not measured", s.Name))
			break
		}
		for name, err := range failed {
			errs = append(errs, fmt.Errorf("%s: %s: %w", s.Name, name, err))
		}
		fmt.Print(report.Table(s, &results, failed))
	}
	fmt.Print(report.Notes(used(scenarios), meta.Versions))
	if *jsonFile != "" {
		var lines bytes.Buffer
		errs = append(errs, report.WriteJSON(&lines, meta, &results), os.WriteFile(*jsonFile, lines.Bytes(), 0o644))
	}
	return errors.Join(append(errs, publish(meta, &results))...)
}

func readRun(file string) (report.Meta, *report.Results, error) {
	f, err := os.Open(file)
	if err != nil {
		return report.Meta{}, nil, err
	}
	defer func() { _ = f.Close() }()
	meta, results, err := report.ReadJSON(f)
	if err != nil {
		err = fmt.Errorf("%s: %w", file, err)
	}
	return meta, results, err
}

func draw(dir string, charts map[string]*report.Chart) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, c := range charts {
		if err := os.WriteFile(filepath.Join(dir, name+".svg"), []byte(c.SVG()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// choose returns the scenarios that are meant, with the systems that are.
func choose(only, with string) ([]*scenario.Scenario, error) {
	var chosen []*scenario.Scenario
	var names []string
	wanted := func(s *scenario.Scenario) bool {
		return only == "" || slices.ContainsFunc(strings.Split(only, ","), s.Is)
	}
	systems := strings.Split(with, ",")
	for _, name := range systems {
		if with != "" && !slices.ContainsFunc(system.All(), func(s system.System) bool { return s.Name == name }) {
			return nil, fmt.Errorf("there is no system %q: want one of %s", name, systemNames())
		}
	}
	for _, s := range scenario.All() {
		names = append(names, s.Name)
		if with != "" {
			s.Systems = slices.DeleteFunc(slices.Clone(s.Systems), func(sys system.System) bool {
				return !slices.Contains(systems, sys.Name)
			})
		}
		if wanted(s) && len(s.Systems) > 0 {
			chosen = append(chosen, s)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no scenario is called %q and has system %q: want some of\n  %s", only, with, strings.Join(names, "\n  "))
	}
	return chosen, nil
}

func systemNames() string {
	var names []string
	for _, s := range system.All() {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

// used are the systems of the scenarios.
func used(scenarios []*scenario.Scenario) []system.System {
	return slices.DeleteFunc(system.All(), func(sys system.System) bool {
		return !slices.ContainsFunc(scenarios, func(s *scenario.Scenario) bool {
			return slices.ContainsFunc(s.Systems, func(has system.System) bool { return has.Name == sys.Name })
		})
	})
}
