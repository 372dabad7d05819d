package measure

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

func TestLoadCountsEveryCall(t *testing.T) {
	var calls atomic.Int64
	got, err := Load{Callers: 3, For: 5 * time.Millisecond}.Run(func(int) error {
		calls.Add(1)
		return nil
	})
	if err != nil || len(got.Took) != int(calls.Load()) || got.Elapsed < 5*time.Millisecond {
		t.Errorf("Load = %d calls in %v, %v; f was called %d times", len(got.Took), got.Elapsed, err, calls.Load())
	}
}

func TestLoadEndsWithTheFirstError(t *testing.T) {
	broken := errors.New("broken")
	if _, err := (Load{Callers: 2, For: time.Hour}).Run(func(int) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("Load = %v, want %v", err, broken)
	}
}

func TestLoadMakesNoMoreCallsThanAllowed(t *testing.T) {
	got, err := Load{Callers: 3, For: time.Hour, Max: 10}.Run(func(int) error { return nil })
	if err != nil || len(got.Took) != 10 {
		t.Errorf("Load = %d calls, %v; want 10", len(got.Took), err)
	}
}
