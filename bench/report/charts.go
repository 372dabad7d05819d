package report

import "github.com/leanmq/leanmq/bench/scenario"

// Charts makes a chart of each family of scenarios, by the name of its file: plain
// ones, and one with other payloads and persistence where there are some.
func Charts(scenarios []*scenario.Scenario, rs *Results) map[string]*Chart {
	charts := map[string]*Chart{}
	for _, s := range scenarios {
		g := Group{Label: s.Name + ": " + s.About}
		unit := ""
		for _, sys := range s.Systems {
			if r := rs.Find(s.Name, sys.Name, s.Main); r != nil {
				g.Bars = append(g.Bars, Bar{sys.Name, r.Value})
				unit = r.Unit
			}
		}
		if len(g.Bars) == 0 {
			continue
		}
		name, title := s.Family(), s.Title
		if special := s.Special(); special != "" {
			name, title = name+"-variants", title+": other payloads, persistence"
			g.Label = s.Name + ": " + special
		}
		// Scenarios of a family that are measured in another unit have a chart of
		// their own: their bars would have nothing to do with each other.
		if c := charts[name]; c != nil && c.Unit != s.Main+", "+unit {
			name += "-" + s.Main
			title += ": " + s.Main
		}
		if charts[name] == nil {
			charts[name] = &Chart{Title: title, Unit: s.Main + ", " + unit, Lower: s.Lower}
		}
		charts[name].Groups = append(charts[name].Groups, g)
	}
	return charts
}
