package report

import (
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/leanmq/leanmq/bench/scenario"
	"github.com/leanmq/leanmq/bench/system"
)

// columns are those of the tables of documents, after ours. Systems that are in few
// scenarios share the last one.
var columns = []struct{ title, system string }{
	{"floor", "bare"}, {"asynq", "asynq"}, {"watermill", "watermill"}, {"JetStream", "jetstream"}, {"other", ""},
}

// Markdown is the figures as a table for documents: the main ones of plain scenarios or
// all that there are goals for, of all scenarios, with what was asked.
func Markdown(m Meta, scenarios []*scenario.Scenario, rs *Results, all bool) string {
	var w strings.Builder
	fmt.Fprintf(&w, "%s\n\n| | LeanMQ |", origin(m))
	for _, c := range columns {
		fmt.Fprintf(&w, " %s |", c.title)
	}
	rule := "\n|---|---|" + strings.Repeat("---|", len(columns))
	if all {
		rule = " asked |" + rule + "---|"
	}
	w.WriteString(rule + "\n")
	for _, s := range scenarios {
		switch {
		case all:
			for _, metric := range mainMetrics(s) {
				w.WriteString(row(s, metric, rs, true))
			}
		case s.Special() == "":
			w.WriteString(row(s, s.Main, rs, false))
		}
	}
	return w.String()
}

// major is the version at the end of a module's path.
var major = regexp.MustCompile(`/v\d+$`)

// origin says where figures come from.
func origin(m Meta) string {
	var versions []string
	for module, v := range m.Versions {
		if module != system.LeanMQ.Module {
			name := path.Base(major.ReplaceAllString(module, ""))
			versions = append(versions, name+" "+strings.TrimLeft(v, "gov"))
		}
	}
	slices.Sort(versions)
	return fmt.Sprintf("Measured on %s UTC at %s: %s, %d cores, %s; %s. Medians of %d rounds of %g s.",
		m.Date.Format("2006-01-02 15:04"), m.Versions[system.LeanMQ.Module], m.Machine, m.Cores, m.OS,
		strings.Join(versions, ", "), m.Rounds, m.Seconds)
}

// mainMetrics are the one that ratios are of, and others that have a goal.
func mainMetrics(s *scenario.Scenario) []string {
	metrics := []string{s.Main}
	for _, g := range s.Goals {
		if !slices.Contains(metrics, g.Metric) {
			metrics = append(metrics, g.Metric)
		}
	}
	return metrics
}

func row(s *scenario.Scenario, metric string, rs *Results, asked bool) string {
	ours := rs.Find(s.Name, Ours, metric)
	if ours == nil {
		return ""
	}
	label := s.Row
	switch special := s.Special(); {
	case special != "":
		label = "… " + special
	case metric != s.Main:
		label = "… " + metric
	case metric == "p50":
		label += ", p50"
	}
	var w strings.Builder
	fmt.Fprintf(&w, "| %s, %s | **%s** |", label, ours.Unit, Brief(ours.Value))
	for _, c := range columns {
		fmt.Fprintf(&w, " %s |", cell(s, metric, c.system, rs))
	}
	if asked {
		var goals []string
		for _, g := range s.Goals {
			if g.Metric == metric {
				goals = append(goals, demand(rs, s, g))
			}
		}
		fmt.Fprintf(&w, " %s |", strings.Join(goals, ", "))
	}
	return w.String() + "\n"
}

// cell is a system's figure, and ours as a multiple of it.
func cell(s *scenario.Scenario, metric, name string, rs *Results) string {
	for _, sys := range s.Systems {
		apart := slices.ContainsFunc(columns, func(c struct{ title, system string }) bool { return c.system == sys.Name })
		if sys.Name == Ours || sys.Name == system.BarePlain.Name || sys.Name != name && (name != "" || apart) {
			continue
		}
		if r := rs.Find(s.Name, sys.Name, metric); r != nil {
			if ratio, ok := rs.Ratio(s.Name, metric, Ours, sys.Name); ok {
				return fmt.Sprintf("%s (%.2f)", Brief(r.Value), ratio)
			}
		}
	}
	return "–"
}

// demand is a goal, and whether it was missed.
func demand(rs *Results, s *scenario.Scenario, g scenario.Goal) string {
	sign, bound := "≥", g.AtLeast
	if g.AtMost != 0 {
		sign, bound = "≤", g.AtMost
	}
	text := sign + " " + strings.TrimSuffix(strings.TrimSuffix(fmt.Sprintf("%.2f", bound), "0"), ".0")
	if g.Versus == "" && bound >= 100 {
		text = sign + " " + Number(bound)
	}
	if g.Versus != "" {
		text += " × " + strings.Replace(g.Versus, "bare", "floor", 1)
	}
	if strings.HasPrefix(rs.goal(s, g), "MISSED") {
		text += " **missed**"
	}
	return text
}

// Brief writes a figure with two or three digits: rounds differ by more than the rest.
func Brief(v float64) string {
	switch a := math.Abs(v); {
	case a >= 999_500:
		return fmt.Sprintf("%.1fM", v/1e6)
	case a >= 10_000:
		return fmt.Sprintf("%.0fk", v/1e3)
	case a >= 10 && v == math.Trunc(v):
		return thousands(fmt.Sprintf("%.0f", v))
	}
	return Number(v)
}
