package scenario

import "testing"

func TestAwaitIsNotEndedByAnEarlierWant(t *testing.T) {
	tally := newTally()
	tally.add()
	if _, _, err := tally.await(t.Context(), 1, 0); err != nil {
		t.Fatal(err)
	}
	tally.add() // more than was wanted
	const want = 1000
	go func() {
		for range want - 2 {
			tally.add()
		}
	}()
	if _, _, err := tally.await(t.Context(), want, 0); err != nil {
		t.Fatal(err)
	}
	if n := tally.n.Load(); n != want {
		t.Errorf("await returned after %d, want %d", n, want)
	}
}
