package measure

import (
	"math"
	"slices"
	"time"
)

// Latencies are the median and the tail of what calls took, in µs. It sorts took.
func Latencies(took []time.Duration) []Measure {
	slices.Sort(took)
	at := func(q float64) float64 { return float64(Quantile(took, q).Nanoseconds()) / 1e3 }
	return []Measure{{P50, "µs", at(0.5)}, {P99, "µs", at(0.99)}, {P999, "µs", at(0.999)}}
}

// Quantile is the smallest of the sorted durations that is not below the share q
// of them (nearest rank), or 0 without any.
func Quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(q * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}
