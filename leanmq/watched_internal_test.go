package leanmq

import "testing"

func TestWatchedLockHasANewVersionAfterEachUseButALook(t *testing.T) {
	var w watched
	first := w.version()
	if first == 0 {
		t.Error("the version is that of who has never looked")
	}
	x := 0
	if v := w.look(func() { x++ }); v != first || w.version() != first || x != 1 {
		t.Errorf("after a look: %d, %d, want %d; looked %d times", v, w.version(), first, x)
	}
	w.Lock()
	x = 2
	w.Unlock()
	if w.version() == first {
		t.Error("the same version after a change")
	}
}
