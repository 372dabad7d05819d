package report

import "slices"

// Median is the middle of the values, the mean of the two in the middle, or 0
// without any.
func Median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Spread is how far the values are from each other: half of the way from the
// smallest to the largest, as a share of the median. It is 0 for less than two.
func Spread(values []float64) float64 {
	m := Median(values)
	if len(values) < 2 || m == 0 {
		return 0
	}
	return (slices.Max(values) - slices.Min(values)) / 2 / m
}
