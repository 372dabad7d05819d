package measure

import (
	"runtime"
	"time"

	"github.com/leanmq/leanmq/bench/server"
)

// Span is a stretch of a run that is measured: its time, what this process spent
// in it, and what its Redis server did.
type Span struct {
	redis  *server.Redis // nil: none
	before server.Usage
	mem    runtime.MemStats
	cpu    time.Duration
	begin  time.Time
}

// Begin begins a span, on a heap that has just been collected.
func Begin(redis *server.Redis) (*Span, error) {
	s := &Span{redis: redis}
	runtime.GC()
	if redis != nil {
		var err error
		if s.before, err = redis.Usage(); err != nil {
			return nil, err
		}
	}
	runtime.ReadMemStats(&s.mem)
	s.cpu = processCPU()
	s.begin = time.Now()
	return s, nil
}

// Took is how long the span has lasted.
func (s *Span) Took() time.Duration { return time.Since(s.begin) }

// End returns what each of n messages cost since Begin.
func (s *Span) End(n int) ([]Measure, error) {
	cpu := processCPU() - s.cpu
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	each := 1 / float64(max(n, 1))
	ms := []Measure{
		{"allocs", "/msg", float64(mem.Mallocs-s.mem.Mallocs) * each},
		{"alloc", "B/msg", float64(mem.TotalAlloc-s.mem.TotalAlloc) * each},
		{"client cpu", "µs/msg", float64(cpu.Nanoseconds()) / 1e3 * each},
	}
	if s.redis == nil {
		return ms, nil
	}
	after, err := s.redis.Usage()
	return append(ms,
		Measure{"redis cpu", "µs/msg", float64((after.CPU - s.before.CPU).Nanoseconds()) / 1e3 * each},
		Measure{"commands", "/msg", (after.Commands - s.before.Commands) * each},
	), err
}
