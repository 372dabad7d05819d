package measure

// Measure is one figure of one run.
type Measure struct {
	Metric string
	Unit   string
	Value  float64
}

// Metrics that several scenarios have.
const (
	Rate = "rate"
	P50  = "p50"
	P99  = "p99"
	P999 = "p99.9"
)
