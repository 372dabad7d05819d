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
	lineHeight = 17
	groupGap   = 17  // above a group's label
	lineLength = 100 // characters of a label that fit
)

// A page of its own behind the bars: what is read does not depend on that around.
const chartStyle = `
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292f }
  .page { fill: #ffffff }
  .title { font-size: 16px; font-weight: 600 }
  .group, .note { fill: #57606a }
  .bar { fill: #afb8c1 }
  .ours { fill: #0969da }
  .floor { fill: #d0d7de }
  .ours-name { font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 }
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
	longest := c.longest()
	labels := make([][]string, len(c.Groups))
	height := 44
	for i, g := range c.Groups {
		labels[i] = wrap(g.Label, lineLength)
		height += groupGap + lineHeight*len(labels[i]) + len(g.Bars)*(barHeight+4)
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
	out.WriteString("<rect class=\"page\" width=\"100%\" height=\"100%\" rx=\"6\"/>\n")
	fmt.Fprintf(&out, "<text class=\"title\" x=\"8\" y=\"22\">%s</text>\n", html.EscapeString(c.Title))
	fmt.Fprintf(&out, "<text class=\"note\" x=\"8\" y=\"42\">%s; %s</text>\n", html.EscapeString(c.Unit), better)
	y := 44
	for i, g := range c.Groups {
		y += groupGap
		for _, line := range labels[i] {
			fmt.Fprintf(&out, "<text class=\"group\" x=\"8\" y=\"%d\">%s</text>\n", y+lineHeight-6, html.EscapeString(line))
			y += lineHeight
		}
		for _, b := range g.Bars {
			c.bar(&out, b, y, longest)
			y += barHeight + 4
		}
	}
	out.WriteString("</svg>\n")
	return out.String()
}

// cutAt is how many times as long as our longest bar another one may be where less
// is better: one that is cut leaves room to tell the others apart.
const cutAt = 10

// longest is the value of the longest bar that is drawn in full.
func (c *Chart) longest() float64 {
	var all, ours float64
	for _, g := range c.Groups {
		for _, b := range g.Bars {
			all = max(all, b.Value)
			if b.System == Ours {
				ours = max(ours, b.Value)
			}
		}
	}
	if c.Lower && ours > 0 {
		return min(all, cutAt*ours)
	}
	return all
}

func (c *Chart) bar(out *strings.Builder, b Bar, y int, longest float64) {
	class := "bar"
	switch {
	case b.System == Ours:
		class = "ours"
	case floors[b.System]:
		class = "floor"
	}
	width, value := 1.0, Number(b.Value) // even the smallest one is seen
	if longest > 0 {
		width = max(width, barWidth*min(b.Value/longest, 1))
	}
	if b.Value > longest {
		value = "→ " + value // the bar is cut
	}
	text := y + barHeight - 4
	fmt.Fprintf(out, "<text class=\"%s\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", class+"-name", nameWidth-8, text, html.EscapeString(b.System))
	fmt.Fprintf(out, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>", class, nameWidth, y, width, barHeight)
	fmt.Fprintf(out, "<text x=\"%.1f\" y=\"%d\">%s</text>\n", nameWidth+width+6, text, value)
}

// wrap breaks text into lines of at most so many bytes, if its words are not longer.
func wrap(text string, length int) []string {
	var lines []string
	for _, word := range strings.Fields(text) {
		if last := len(lines) - 1; last >= 0 && len(lines[last])+1+len(word) <= length {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}
