package scenario

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

type counter struct{ sent atomic.Int64 }

func (c *counter) Close() error { return nil }

func (c *counter) Send(context.Context, []byte) error {
	c.sent.Add(1)
	return nil
}

type batchCounter struct{ counter }

func (c *batchCounter) SendMany(_ context.Context, payloads [][]byte) error {
	c.sent.Add(int64(len(payloads)))
	return nil
}

func TestFillSendsExactlySoMany(t *testing.T) {
	for _, n := range []int{1, 7, 8, 200, 1999, 10_001} {
		one, many := &counter{}, &batchCounter{}
		got, err := fill(t.Context(), &Run{Open: one}, n, 0)
		if err != nil || got != n || one.sent.Load() != int64(n) {
			t.Errorf("fill(%d) = %d, %v; %d were sent", n, got, err, one.sent.Load())
		}
		got, err = fill(t.Context(), &Run{Open: many}, n, 0)
		if err != nil || got != n || many.sent.Load() != int64(n) {
			t.Errorf("fill(%d) by batches = %d, %v; %d were sent", n, got, err, many.sent.Load())
		}
	}
}

func TestFillEndsInTime(t *testing.T) {
	c := &batchCounter{}
	got, err := fill(t.Context(), &Run{Open: c}, 1<<40, 10*time.Millisecond)
	if err != nil || int64(got) != c.sent.Load() {
		t.Errorf("fill = %d, %v; %d were sent", got, err, c.sent.Load())
	}
}

func TestTally(t *testing.T) {
	tally := newTally()
	for range 10 {
		go tally.add()
	}
	if n, _, err := tally.await(t.Context(), 10, 0); n != 9 || err != nil {
		t.Errorf("await = %d, %v; want 9 since the first one", n, err)
	}
	if n, took, err := tally.await(t.Context(), 11, 5*time.Millisecond); n != 9 || took < 5*time.Millisecond || err != nil {
		t.Errorf("await = %d in %v, %v; want 9 when the time is over", n, took, err)
	}
}

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range All() {
		if seen[s.Name] {
			t.Errorf("two scenarios are called %s", s.Name)
		}
		seen[s.Name] = true
		for _, g := range s.Goals {
			if (g.AtLeast == 0) == (g.AtMost == 0) {
				t.Errorf("%s: the goal for %s has not one bound", s.Name, g.Metric)
			}
		}
	}
}
