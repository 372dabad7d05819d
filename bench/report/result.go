package report

import (
	"slices"

	"github.com/leanmq/leanmq/bench/measure"
)

// Result is one metric of one system in one scenario, over all rounds.
type Result struct {
	Scenario string    `json:"scenario"`
	System   string    `json:"system"`
	Metric   string    `json:"metric"`
	Unit     string    `json:"unit"`
	Value    float64   `json:"value"` // the median
	Runs     []float64 `json:"runs"`  // in the order of the rounds
}

// Results are those of a run, in the order in which they were first added.
type Results struct {
	all []*Result
}

// Add adds the figures of one round.
func (rs *Results) Add(scenario, system string, ms []measure.Measure) {
	for _, m := range ms {
		r := rs.Find(scenario, system, m.Metric)
		if r == nil {
			r = &Result{Scenario: scenario, System: system, Metric: m.Metric, Unit: m.Unit}
			rs.all = append(rs.all, r)
		}
		r.Runs = append(r.Runs, m.Value)
		r.Value = Median(r.Runs)
	}
}

// Find returns the result, or nil.
func (rs *Results) Find(scenario, system, metric string) *Result {
	for _, r := range rs.all {
		if r.Scenario == scenario && r.System == system && r.Metric == metric {
			return r
		}
	}
	return nil
}

// metrics are those of a scenario, in the order in which they came.
func (rs *Results) metrics(scenario string) (names, units []string) {
	for _, r := range rs.all {
		if r.Scenario == scenario && !slices.Contains(names, r.Metric) {
			names, units = append(names, r.Metric), append(units, r.Unit)
		}
	}
	return names, units
}

// Ratio is ours to its: the median of the ratios of each round, so that a machine
// that becomes slower in the course of a run does not matter. ok is false when one
// of them has no figures.
func (rs *Results) Ratio(scenario, metric, ours, its string) (ratio float64, ok bool) {
	a, b := rs.Find(scenario, ours, metric), rs.Find(scenario, its, metric)
	if a == nil || b == nil {
		return 0, false
	}
	var ratios []float64
	for i := range min(len(a.Runs), len(b.Runs)) {
		if b.Runs[i] != 0 {
			ratios = append(ratios, a.Runs[i]/b.Runs[i])
		}
	}
	return Median(ratios), len(ratios) > 0
}
