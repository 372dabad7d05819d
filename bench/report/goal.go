package report

import (
	"fmt"

	"github.com/leanmq/leanmq/bench/scenario"
)

// Ours is the system that ratios and goals are of.
const Ours = "leanmq"

// goal says whether a goal was reached; "" when there are no figures for it.
func (rs *Results) goal(s *scenario.Scenario, g scenario.Goal) string {
	value, what := 0.0, ""
	if g.Versus == "" {
		r := rs.Find(s.Name, Ours, g.Metric)
		if r == nil {
			return ""
		}
		value, what = r.Value, " "+r.Unit
	} else {
		var ok bool
		if value, ok = rs.Ratio(s.Name, g.Metric, Ours, g.Versus); !ok {
			return ""
		}
		what = " × " + g.Versus
	}
	verdict, sign, bound := "reached", "≥", g.AtLeast
	if g.AtMost != 0 {
		sign, bound = "≤", g.AtMost
	}
	if (g.AtLeast != 0 && value < g.AtLeast) || (g.AtMost != 0 && value > g.AtMost) {
		verdict = "MISSED"
	}
	return fmt.Sprintf("%s: %s %s %s%s: %s", verdict, g.Metric, sign, Number(bound), what, Number(value))
}
