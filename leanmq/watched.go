package leanmq

import (
	"sync"
	"sync/atomic"
)

// watched is the lock of a pool. It counts how often it was given back, so that what
// was read under it is known to be still so as long as the count is the same: the
// fetcher asks a thousand pools before each read, and mostly one of them has changed.
type watched struct {
	sync.Mutex
	unlocks atomic.Uint64
}

func (w *watched) Unlock() {
	w.unlocks.Add(1)
	w.Mutex.Unlock()
}

// version changes with what the lock guards. It is never 0.
func (w *watched) version() uint64 { return w.unlocks.Load() + 1 }

// look is for who only reads: it leaves the version as it is, and returns it.
func (w *watched) look(read func()) uint64 {
	w.Lock()
	defer w.Mutex.Unlock()
	read()
	return w.version()
}
