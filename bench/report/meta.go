package report

import "time"

// Meta says what was measured where: the first line of the JSON.
type Meta struct {
	Date     time.Time         `json:"date"`
	Machine  string            `json:"machine"`
	Cores    int               `json:"cores"`
	OS       string            `json:"os"`
	Quick    bool              `json:"quick"` // figures of a smoke test say nothing
	Rounds   int               `json:"rounds"`
	Seconds  float64           `json:"seconds"` // of each measurement
	Versions map[string]string `json:"versions"`
}
