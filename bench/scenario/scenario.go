package scenario

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/leanmq/leanmq/bench/measure"
	"github.com/leanmq/leanmq/bench/system"
)

// Scenario is one workload.
type Scenario struct {
	Name    string          // "send/100/4KB": a family and what is special
	Title   string          // of its family
	About   string          // what is special, in a sentence
	Row     string          // the same in the tables of documents
	Systems []system.System // that can do it
	Durable bool            // Redis with appendfsync everysec
	Payload int             // bytes
	Main    string          // metric that charts and ratios are of
	Lower   bool            // less of it is better
	Times   int             // how often a round measures it, where it is unsteady; 0 = once
	Once    bool            // only the first round does: it takes minutes
	Goals   []Goal
	Run     func(ctx context.Context, r *Run) ([]measure.Measure, error)
}

// Goal is what this project wants to reach, in the median of all rounds.
type Goal struct {
	Metric  string
	Versus  string  // system: the bound is of the ratio, ours to its; "": of the figure
	AtLeast float64 // 0: no bound
	AtMost  float64 // 0: no bound
}

// Run is one run of a scenario with one system.
type Run struct {
	Env     system.Env
	Open    io.Closer // the system
	Scale   Scale
	Payload []byte
}

// Scale is how much of everything there is.
type Scale struct {
	Rounds  int
	Time    time.Duration // of a measurement
	Fill    int           // messages that wait to be processed, at most
	Bytes   int           // of payloads in a measurement, at most
	Memory  int           // messages whose memory is measured
	Backlog []int
	Dead    int
	Waiting int // requests
}

// Full is for figures, Quick only for whether all works.
var (
	Full = Scale{
		Rounds: 5, Time: 2 * time.Second, Fill: 500_000, Bytes: 1 << 30, Memory: 200_000,
		Backlog: []int{1_000, 10_000, 100_000, 1_000_000}, Dead: 1_000_000, Waiting: 10_000,
	}
	Quick = Scale{
		Rounds: 1, Time: 60 * time.Millisecond, Fill: 10_000, Bytes: 64 << 20, Memory: 5_000,
		Backlog: []int{1_000, 10_000}, Dead: 2_000, Waiting: 1_000,
	}
)

// Family is the part of the name that variants share.
func (s *Scenario) Family() string {
	family, _, _ := strings.Cut(s.Name, "/")
	return family
}

// Is reports whether the scenario is meant by name: its own, or the beginning of it.
func (s *Scenario) Is(name string) bool {
	return s.Name == name || strings.HasPrefix(s.Name, name+"/")
}

// All are the scenarios, in the order of the report.
func All() []*Scenario {
	var all []*Scenario
	for _, f := range []func() []*Scenario{
		sends, sendManys, processes, flows, idles, requests, https,
		memories, backlogs, deads, startups, waitings, jobs,
	} {
		all = append(all, f()...)
	}
	return all
}

// plainPayload is the size of payloads, in bytes, where nothing else is said.
const plainPayload = 256

// variants are the plain scenario, and those with other payloads and with an
// append-only file.
func variants(plain Scenario, sizes, durable bool) []*Scenario {
	plain.Payload = plainPayload
	all := []*Scenario{&plain}
	if sizes {
		for _, size := range []int{16, 4 << 10, 64 << 10} {
			s := plain
			s.Payload, s.Goals = size, nil
			s.Name += "/" + Bytes(size)
			all = append(all, &s)
		}
	}
	if durable {
		s := plain
		s.Durable, s.Goals = true, nil
		s.Name += "/aof"
		all = append(all, &s)
	}
	return all
}

// Bytes writes a size.
func Bytes(n int) string {
	if n >= 1<<10 && n%(1<<10) == 0 {
		return fmt.Sprint(n>>10, "KB")
	}
	return fmt.Sprint(n, "B")
}

// maxMessages is how many messages a run may send.
func (r *Run) maxMessages() int { return max(r.Scale.Bytes/max(len(r.Payload), 1), 100) }

// Special says how the scenario differs from the plain one of its family; "" if it
// is that one.
func (s *Scenario) Special() string {
	switch {
	case s.Durable:
		return "AOF everysec"
	case s.Payload != plainPayload:
		return Bytes(s.Payload)
	}
	return ""
}
