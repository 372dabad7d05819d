package report

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/leanmq/leanmq/bench/measure"
	"github.com/leanmq/leanmq/bench/scenario"
	"github.com/leanmq/leanmq/bench/system"
)

func TestSVG(t *testing.T) {
	c := Chart{
		Title: "a & b", Unit: "rate, msg/s",
		Groups: []Group{{"one <caller>", []Bar{{"leanmq", 200_000}, {"bare", 400_000}, {"asynq", 0}}}},
	}
	svg := c.SVG()
	wellFormed(t, svg)
	for _, want := range []string{
		`a &amp; b`, `one &lt;caller&gt;`, `200,000`, `prefers-color-scheme: dark`,
		`<rect class="ours" x="110" y="78" width="240.0"`,
		`<rect class="floor" x="110" y="100" width="480.0"`,
		`<rect class="bar" x="110" y="122" width="1.0"`,
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("the chart lacks %s:\n%s", want, svg)
		}
	}
}

func wellFormed(t *testing.T, svg string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
	}
}

func TestChartsAreOfFamilies(t *testing.T) {
	both := []system.System{{Name: "leanmq"}, {Name: "bare"}}
	scenarios := []*scenario.Scenario{
		{Name: "send/1", Payload: 256, Main: "rate", Systems: both},
		{Name: "send/100", Payload: 256, Main: "rate", Systems: both},
		{Name: "send/100/4KB", Payload: 4096, Main: "rate", Systems: both},
		{Name: "send/100/aof", Payload: 256, Durable: true, Main: "rate", Systems: both},
		{Name: "request/1", Payload: 256, Main: "p50", Lower: true, Systems: both},
		{Name: "request/100", Payload: 256, Main: "rate", Systems: both},
		{Name: "idle/1", Payload: 256, Main: "p50", Systems: both}, // has no figures
	}
	var rs Results
	for _, s := range scenarios[:6] {
		rs.Add(s.Name, "leanmq", []measure.Measure{{Metric: "rate", Unit: "msg/s", Value: 5}, {Metric: "p50", Unit: "µs", Value: 7}})
	}
	got := map[string]int{}
	for name, c := range Charts(scenarios, &rs) {
		got[name] = len(c.Groups)
	}
	want := map[string]int{"send": 2, "send-variants": 2, "request": 1, "request-rate": 1}
	if len(got) != len(want) {
		t.Errorf("charts are %v, want %v", got, want)
	}
	for name, groups := range want {
		if got[name] != groups {
			t.Errorf("chart %s has %d groups, want %d", name, got[name], groups)
		}
	}
}

func TestWrap(t *testing.T) {
	got := strings.Join(wrap("one two  three fourteen", 7), "|")
	if want := "one two|three|fourteen"; got != want {
		t.Errorf("wrap = %q, want %q", got, want)
	}
}

func TestBarsThatAreFarTooLongAreCut(t *testing.T) {
	bars := []Group{{"one", []Bar{{"leanmq", 10}, {"bare", 100}, {"asynq", 5000}}}}
	svg := (&Chart{Lower: true, Groups: bars}).SVG()
	if strings.Count(svg, `width="480.0"`) != 2 || !strings.Contains(svg, "→ 5,000") {
		t.Errorf("what is more than 10 times ours is not cut:\n%s", svg)
	}
	if svg := (&Chart{Groups: bars}).SVG(); strings.Contains(svg, "→") {
		t.Errorf("a bar is cut where more is better:\n%s", svg)
	}
}
