package report

import (
	"fmt"
	"math"
	"strings"
	"text/tabwriter"

	"github.com/leanmq/leanmq/bench/scenario"
	"github.com/leanmq/leanmq/bench/system"
)

// Head says what was measured where.
func Head(m Meta) string {
	head := fmt.Sprintf("%s, %s, %d cores, %s; %d rounds, %gs each\n",
		m.Date.Format("2006-01-02 15:04"), m.Machine, m.Cores, m.OS, m.Rounds, m.Seconds)
	if m.Quick {
		head += "A quick run shows that all works. Its figures say nothing.\n"
	}
	return head
}

// Table is that of a scenario: medians over all rounds; how far the rounds are
// apart; and ours as a multiple of each system's. failed has the errors of systems.
func Table(s *scenario.Scenario, rs *Results, failed map[string]error) string {
	var w strings.Builder
	fmt.Fprintf(&w, "\n%s: %s; %s", s.Name, s.About, scenario.Bytes(s.Payload))
	if s.Durable {
		w.WriteString("; AOF everysec")
	}
	w.WriteString("\n")
	metrics, units := rs.metrics(s.Name)
	tab := tabwriter.NewWriter(&w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(cells []string, remark string) {
		_, _ = fmt.Fprintln(tab, strings.TrimRight(strings.Join(cells, "\t")+"\t  "+remark, " "))
	}
	longest := 0 // to the left, where all else goes to the right
	for _, sys := range s.Systems {
		longest = max(longest, len(sys.Name))
	}
	if len(metrics) > 0 {
		row(append([]string{"", s.Main + " ±", "ours/its"}, metrics...), "without")
		row(append([]string{"", "", ""}, units...), "")
	}
	for _, sys := range s.Systems {
		if failed[sys.Name] != nil {
			continue // see below
		}
		cells := []string{fmt.Sprintf("%-*s", longest, sys.Name), "–", "–"}
		if r := rs.Find(s.Name, sys.Name, s.Main); r != nil && len(r.Runs) > 1 {
			cells[1] = fmt.Sprintf("%.0f%%", math.Ceil(100*Spread(r.Runs)))
		}
		if ratio, ok := rs.Ratio(s.Name, s.Main, Ours, sys.Name); ok && sys.Name != Ours {
			cells[2] = Number(ratio)
		}
		measured := false
		for _, m := range metrics {
			cell := "–"
			if r := rs.Find(s.Name, sys.Name, m); r != nil {
				cell, measured = Number(r.Value), true
			}
			cells = append(cells, cell)
		}
		if measured {
			row(cells, sys.Without)
		}
	}
	_ = tab.Flush() // a Builder does not fail
	for _, sys := range s.Systems {
		if err := failed[sys.Name]; err != nil {
			fmt.Fprintf(&w, "  %s failed: %v\n", sys.Name, err)
		}
	}
	for _, g := range s.Goals {
		if verdict := rs.goal(s, g); verdict != "" {
			w.WriteString("  " + verdict + "\n")
		}
	}
	return w.String()
}

// Notes say how each system is used, and what it does not do.
func Notes(systems []system.System, versions map[string]string) string {
	var w strings.Builder
	w.WriteString("\nSystems:\n")
	for _, s := range systems {
		w.WriteString("  " + s.Name)
		if v := versions[s.Module]; v != "" {
			fmt.Fprintf(&w, " (%s %s)", s.Module, v)
		}
		fmt.Fprintf(&w, ": %s.", s.Setting)
		if s.Lacks != "" {
			fmt.Fprintf(&w, "\n    Does not offer: %s.", s.Lacks)
		}
		w.WriteString("\n")
	}
	return w.String()
}
