package leanmq

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// What a clock says is as exact as the quickest of a few answers, and no more are waited
// for than that takes.
func TestClockIsToldByTheQuickestAnswer(t *testing.T) {
	const ahead = time.Hour
	down := errors.New("down")
	for _, tt := range []struct {
		name  string
		there time.Duration   // the way of each question
		back  []time.Duration // the way of its answer; negative: it fails
		asked int
		off   time.Duration
		err   error
	}{
		{"quick", 0, []time.Duration{time.Millisecond}, 1, time.Millisecond / 2, nil},
		{"slow, then quick", 0, []time.Duration{2 * time.Second, 4 * time.Millisecond}, 2, 2 * time.Millisecond, nil},
		{"far away", 50 * time.Millisecond, []time.Duration{50 * time.Millisecond, 50 * time.Millisecond, 50 * time.Millisecond}, 3, 0, nil},
		{"slow", 0, []time.Duration{time.Second, 40 * time.Millisecond, 2 * time.Second}, 3, 20 * time.Millisecond, nil},
		{"slow, then down", 0, []time.Duration{time.Second, -1}, 2, time.Second / 2, nil},
		{"down", 0, []time.Duration{-1}, 1, 0, down},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				server, told, err := askClock(func() (time.Time, error) {
					back := tt.back[asked]
					asked++
					time.Sleep(tt.there)
					if back < 0 {
						return time.Time{}, down
					}
					answer := time.Now().Add(ahead)
					time.Sleep(back)
					return answer, nil
				})
				if !errors.Is(err, tt.err) || asked != tt.asked {
					t.Fatalf("asked %d times: %v", asked, err)
				}
				if off := told.Add(ahead).Sub(server); err == nil && off != tt.off {
					t.Errorf("it is off by %v, want %v", off, tt.off)
				}
			})
		})
	}
}
