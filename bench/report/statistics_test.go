package report

import "testing"

func TestMedianAndSpread(t *testing.T) {
	for _, tt := range []struct {
		values         []float64
		median, spread float64
	}{
		{nil, 0, 0},
		{[]float64{7}, 7, 0},
		{[]float64{3, 1}, 2, 0.5},
		{[]float64{100, 90, 110}, 100, 0.1},
		{[]float64{4, 1, 3, 2}, 2.5, 0.6},
		{[]float64{0, 0, 0}, 0, 0},
	} {
		if got := Median(tt.values); got != tt.median {
			t.Errorf("Median(%v) = %v, want %v", tt.values, got, tt.median)
		}
		if got := Spread(tt.values); got != tt.spread {
			t.Errorf("Spread(%v) = %v, want %v", tt.values, got, tt.spread)
		}
	}
}

func TestMedianLeavesItsArgumentAlone(t *testing.T) {
	values := []float64{3, 1, 2}
	Median(values)
	if values[0] != 3 {
		t.Errorf("Median sorted its argument: %v", values)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.00", 0.956: "0.96", 9.994: "9.99", 42.25: "42.2", 349.4: "349", 1000: "1,000",
		74_204.6: "74,205", 1_234_567: "1,234,567", -1500: "-1,500", -2: "-2.00",
	} {
		if got := Number(v); got != want {
			t.Errorf("Number(%v) = %q, want %q", v, got, want)
		}
	}
}
