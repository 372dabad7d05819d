package testkit

import "testing"

func TestEnding(t *testing.T) {
	for want, test := range map[string]func(t testing.TB){
		"":             func(testing.TB) {},
		"failed: no 1": func(t testing.TB) { t.Fatalf("no %d", 1) },
		"skipped: 2":   func(t testing.TB) { t.Skipf("%d", 2) },
	} {
		if got := Ending(t, test); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
