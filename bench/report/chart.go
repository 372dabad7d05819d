package report

import (
	"fmt"
	"html"
	"strings"
)

// Chart is bars of one metric, in groups.
type Chart struct {
	Title  string
	Unit   string
	Lower  bool // less is better
	Groups []Group
}

// Group is the bars of one scenario.
type Group struct {
	Label string
	Bars  []Bar
}

// Bar is one system's.
type Bar struct {
	System string
	Value  float64
}

const (
	chartWidth = 720
	nameWidth  = 110 // left of the bars
	barWidth   = 480 // of the longest one
	barHeight  = 18
	groupGap   = 34 // room for a group's label
)

// The colours are read on light and on dark pages alike.
const chartStyle = `
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292f }
  .title { font-size: 16px; font-weight: 600 }
  .group, .note { fill: #57606a }
  .bar { fill: #afb8c1 }
  .ours { fill: #0969da }
  .floor { fill: #d0d7de }
  .ours-name { font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .group, .note { fill: #9198a1 }
    .bar { fill: #59636e }
    .ours { fill: #4493f8 }
    .floor { fill: #3d444d }
  }
`

// floors are drawn paler: they are no choice of a user's.
var floors = map[string]bool{"bare": true, "bare-plain": true, "goroutines": true}

// SVG draws the chart.
func (c *Chart) SVG() string {
	longest := 0.0
	height := 44
	for _, g := range c.Groups {
		height += groupGap + len(g.Bars)*(barHeight+4)
		for _, b := range g.Bars {
			longest = max(longest, b.Value)
		}
	}
	height += 12

	var out strings.Builder
	better := "more is better"
	if c.Lower {
		better = "less is better"
	}
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img" aria-label="%s">`,
		chartWidth, height, html.EscapeString(c.Title))
	fmt.Fprintf(&out, "\n<style>%s</style>\n", chartStyle)
	fmt.Fprintf(&out, "<text class=\"title\" x=\"8\" y=\"22\">%s</text>\n", html.EscapeString(c.Title))
	fmt.Fprintf(&out, "<text class=\"note\" x=\"8\" y=\"42\">%s; %s</text>\n", html.EscapeString(c.Unit), better)
	y := 44
	for _, g := range c.Groups {
		fmt.Fprintf(&out, "<text class=\"group\" x=\"8\" y=\"%d\">%s</text>\n", y+groupGap-10, html.EscapeString(g.Label))
		y += groupGap
		for _, b := range g.Bars {
			c.bar(&out, b, y, longest)
			y += barHeight + 4
		}
	}
	out.WriteString("</svg>\n")
	return out.String()
}

func (c *Chart) bar(out *strings.Builder, b Bar, y int, longest float64) {
	class := "bar"
	switch {
	case b.System == Ours:
		class = "ours"
	case floors[b.System]:
		class = "floor"
	}
	width := 1.0 // even the smallest one is seen
	if longest > 0 {
		width = max(width, barWidth*b.Value/longest)
	}
	text := y + barHeight - 4
	fmt.Fprintf(out, "<text class=\"%s\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", class+"-name", nameWidth-8, text, html.EscapeString(b.System))
	fmt.Fprintf(out, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>", class, nameWidth, y, width, barHeight)
	fmt.Fprintf(out, "<text x=\"%.1f\" y=\"%d\">%s</text>\n", nameWidth+width+6, text, Number(b.Value))
}
