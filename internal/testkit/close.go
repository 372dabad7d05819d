package testkit

import (
	"io"
	"testing"
)

// Opened passes v on, closes it when the test ends, and checks that this is no error.
// It ends the test if err, that of opening it, is one.
func Opened[T io.Closer](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}
