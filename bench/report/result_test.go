package report

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/bench/measure"
	"github.com/leanmq/leanmq/bench/scenario"
	"github.com/leanmq/leanmq/bench/system"
)

// threeRounds are those of a machine that becomes slower by half.
func threeRounds() *Results {
	var rs Results
	for _, v := range []float64{100, 90, 50} {
		rs.Add("send/1", "leanmq", []measure.Measure{{Metric: "rate", Unit: "msg/s", Value: v}, {Metric: "p50", Unit: "µs", Value: 10}})
		rs.Add("send/1", "bare", []measure.Measure{{Metric: "rate", Unit: "msg/s", Value: v * 1.25}})
	}
	return &rs
}

func TestRatioIsThatOfRounds(t *testing.T) {
	rs := threeRounds()
	rs.Add("send/1", "leanmq", []measure.Measure{{Metric: "rate", Unit: "msg/s", Value: 1}}) // a round that bare did not have
	if got, ok := rs.Ratio("send/1", "rate", "leanmq", "bare"); !ok || got != 0.8 {
		t.Errorf("Ratio = %v, %v; want 0.8", got, ok)
	}
	if _, ok := rs.Ratio("send/1", "p50", "leanmq", "bare"); ok {
		t.Error("there is a ratio to a system without figures")
	}
}

func TestJSON(t *testing.T) {
	var out bytes.Buffer
	meta := Meta{
		Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Machine: "a <fast> one", Cores: 2, OS: "linux/amd64",
		Rounds: 3, Seconds: 2, Versions: map[string]string{"go": "go1.26"},
	}
	if err := WriteJSON(&out, meta, threeRounds()); err != nil {
		t.Fatal(err)
	}
	want := `{"date":"2026-01-02T03:04:05Z","machine":"a <fast> one","cores":2,"os":"linux/amd64","quick":false,"rounds":3,"seconds":2,"versions":{"go":"go1.26"}}
{"scenario":"send/1","system":"leanmq","metric":"rate","unit":"msg/s","value":90,"runs":[100,90,50]}
{"scenario":"send/1","system":"leanmq","metric":"p50","unit":"µs","value":10,"runs":[10,10,10]}
{"scenario":"send/1","system":"bare","metric":"rate","unit":"msg/s","value":112.5,"runs":[125,112.5,62.5]}
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestReadJSON(t *testing.T) {
	var once, again bytes.Buffer
	if err := WriteJSON(&once, Meta{Machine: "m", Versions: map[string]string{"go": "1"}}, threeRounds()); err != nil {
		t.Fatal(err)
	}
	text := once.String()
	meta, rs, err := ReadJSON(&once)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteJSON(&again, meta, rs); err != nil || again.String() != text {
		t.Errorf("%v; got\n%swant\n%s", err, again.String(), text)
	}
	for _, bad := range []string{"", "{}\nx", "[]"} {
		if _, _, err := ReadJSON(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is taken for a run", bad)
		}
	}
}

func TestTable(t *testing.T) {
	s := &scenario.Scenario{
		Name: "send/1", About: "one sends", Payload: 256, Main: "rate",
		Systems: []system.System{{Name: "leanmq"}, {Name: "bare", Without: "retries"}, {Name: "asynq"}, {Name: "gone"}},
		Goals: []scenario.Goal{
			{Metric: "rate", Versus: "bare", AtLeast: 0.95},
			{Metric: "rate", Versus: "asynq", AtLeast: 4},
			{Metric: "p50", AtMost: 12},
		},
	}
	got := Table(s, threeRounds(), map[string]error{"asynq": errors.New("no such server")})
	want := `
send/1: one sends; 256B
          rate ±  ours/its   rate   p50  without
                            msg/s    µs
  leanmq     28%         –   90.0  10.0
  bare       28%      0.80    112     –  retries
  asynq failed: no such server
  MISSED: rate ≥ 0.95 × bare: 0.80
  reached: p50 ≤ 12.0 µs: 10.0
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", strings.ReplaceAll(got, " ", "·"), strings.ReplaceAll(want, " ", "·"))
	}
}
