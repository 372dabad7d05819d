// Package docs_test keeps the figures of this directory's documents true.
package docs_test

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

// What things cost the server, measured with BenchmarkCost, BenchmarkMemory and INFO
// (2 cores, Redis 7.0.15, 256-byte payloads).
const (
	plainCPU  = 7.2 // µs of the server's one thread, a message from its send to its end
	laterCPU  = 38  // µs, a delayed one or a retry
	noticeCPU = 8   // µs for each consumer that hears of it
	idleCPU   = 60  // µs a second, a process that consumes a queue with nothing in it

	wireBytes   = 347 + 326 // in and out, a plain message
	memoryBytes = 292       // a waiting message

	// Connections of a process: those that commands share, one that blocks on all
	// queues of a hash tag, one that hears notices, one for an inbox.
	pipeConnections = 6
)

// What one server has. The CPU and the network are not to be used up: beyond this,
// waiting times grow.
const (
	usableCPU      = 0.7e6  // µs a second: Redis runs commands in one thread
	usableNetwork  = 0.8e9  // bytes a second, of 10 Gbit/s
	usableMemory   = 12e9   // bytes, of 16 GB
	maxConnections = 10_000 // Redis' default, maxclients
)

// fleet is what somebody runs.
type fleet struct {
	name      string
	processes float64       // that send and consume
	queues    float64       // that each of them consumes, of one service
	consumers float64       // processes that consume the same queue
	rate      float64       // messages a second, of each process
	later     float64       // the part of them that is delayed or retried
	outage    time.Duration // how long messages may pile up because no consumer runs
	masters   float64
}

var fleets = []fleet{
	{"1 machine", 1, 5, 1, 5_000, 0.05, 10 * time.Minute, 1},
	{"10 machines", 20, 5, 4, 1_000, 0.05, 10 * time.Minute, 1},
	{"1,000 machines", 2_000, 5, 40, 100, 0.05, 10 * time.Minute, 3},
	{"1,000 machines, 12 masters", 2_000, 5, 40, 100, 0.05, 10 * time.Minute, 12},
}

// use is how much of each resource of the busiest master a fleet uses.
func (f fleet) use() map[string]float64 {
	rate := f.processes * f.rate / f.masters
	cpu := rate*plainCPU + rate*f.later*(laterCPU+noticeCPU*f.consumers) + f.processes*f.queues*idleCPU/f.masters
	readers := 1.0 // of a process: at one server it has one for all its queues
	return map[string]float64{
		"CPU":         cpu / usableCPU,
		"network":     rate * wireBytes / usableNetwork,
		"memory":      rate * f.outage.Seconds() * memoryBytes / usableMemory,
		"connections": (f.processes*pipeConnections + f.processes*(readers+2)/f.masters) / maxConnections,
	}
}

// first is the resource that ends first when everything grows alike.
func (f fleet) first() (name string, used float64) {
	for _, r := range resources {
		if u := f.use()[r]; u > used {
			name, used = r, u
		}
	}
	return name, used
}

var resources = []string{"CPU", "network", "memory", "connections"}

func table() string {
	var b strings.Builder
	fmt.Fprintln(&b, "| | messages/s | masters | CPU | network | memory | connections | first bottleneck, reached at |")
	fmt.Fprintln(&b, "|---|---|---|---|---|---|---|---|")
	for _, f := range fleets {
		fmt.Fprintf(&b, "| %s | %s | %.0f |", f.name, thousands(f.processes*f.rate), f.masters)
		for _, r := range resources {
			fmt.Fprintf(&b, " %.0f %% |", 100*f.use()[r])
		}
		name, used := f.first()
		fmt.Fprintf(&b, " %s, %.1f × this |\n", name, 1/used)
	}
	return b.String()
}

func thousands(n float64) string {
	s := fmt.Sprintf("%.0f", math.Round(n))
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func TestScalingShowsWhatIsCalculated(t *testing.T) {
	doc, err := os.ReadFile("scaling.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := table(); !strings.Contains(string(doc), want) {
		t.Errorf("scaling.md should have this table:\n%s", want)
	}
}
