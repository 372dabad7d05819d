package report

import (
	"testing"
	"time"

	"github.com/leanmq/leanmq/bench/measure"
	"github.com/leanmq/leanmq/bench/scenario"
	"github.com/leanmq/leanmq/bench/system"
)

func TestMarkdown(t *testing.T) {
	rs := threeRounds()
	rs.Add("send/1/aof", "leanmq", []measure.Measure{{Metric: "rate", Unit: "msg/s", Value: 12345}})
	rs.Add("send/1/aof", "proxy", []measure.Measure{{Metric: "rate", Unit: "msg/s", Value: 2_469_000}})
	plain := &scenario.Scenario{
		Name: "send/1", Row: "one sends", Payload: 256, Main: "rate",
		Systems: []system.System{{Name: "leanmq"}, {Name: "bare"}, {Name: "asynq"}},
		Goals:   []scenario.Goal{{Metric: "rate", Versus: "bare", AtLeast: 0.95}, {Metric: "p50", AtMost: 12}},
	}
	durable := &scenario.Scenario{
		Name: "send/1/aof", Row: "one sends", Payload: 256, Durable: true, Main: "rate",
		Systems: []system.System{{Name: "leanmq"}, {Name: "proxy"}},
	}
	meta := Meta{
		Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Machine: "a slow one", Cores: 2, OS: "linux/amd64", Rounds: 3, Seconds: 0.6,
		Versions: map[string]string{"go": "go1.26", "github.com/x/nats/v2": "v2.1.0", system.LeanMQ.Module: "abc"},
	}
	const origin = `Measured on 2026-01-02 03:04 UTC at abc: a slow one, 2 cores, linux/amd64; go 1.26, nats 2.1.0. Medians of 3 rounds of 0.6 s.

`
	const all = `| | LeanMQ | floor | asynq | watermill | JetStream | other | asked |
|---|---|---|---|---|---|---|---|
| one sends, msg/s | **90** | 112 (0.80) | – | – | – | – | ≥ 0.95 × floor **missed** |
| … p50, µs | **10** | – | – | – | – | – | ≤ 12 |
| … AOF everysec, msg/s | **12k** | – | – | – | – | 2.5M (0.01) |  |
`
	const few = `| | LeanMQ | floor | asynq | watermill | JetStream | other |
|---|---|---|---|---|---|---|
| one sends, msg/s | **90** | 112 (0.80) | – | – | – | – |
`
	scenarios := []*scenario.Scenario{plain, durable}
	if got := Markdown(meta, scenarios, rs, false); got != origin+few {
		t.Errorf("got\n%s\nwant\n%s", got, origin+few)
	}
	if got := Markdown(meta, scenarios, rs, true); got != origin+all {
		t.Errorf("got\n%s\nwant\n%s", got, origin+all)
	}
}
