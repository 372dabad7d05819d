package scenario

import (
	"errors"
	"sync/atomic"
	"time"
)

// waits are jobs that wait, and how long they really took. A time.Sleep will not do:
// Go's poller counts in whole milliseconds, and begins anew at each event of the
// network. So a sleep takes as much longer as the process talks to a server after it
// began, up to twice its time, and what does not talk to one seems the faster. What
// jobs wait for comes over a connection, to the microsecond; see newAlarm.
type waits struct {
	free chan *alarm
	n    atomic.Int64
	took atomic.Int64 // ns
	err  atomic.Pointer[error]
}

// newWaits is for as many jobs at once.
func newWaits(jobs int) (*waits, error) {
	w := &waits{free: make(chan *alarm, jobs)}
	for range jobs {
		a, err := newAlarm()
		if err != nil {
			return nil, errors.Join(err, w.close())
		}
		w.free <- a
	}
	return w, nil
}

func (w *waits) wait(d time.Duration) {
	a := <-w.free
	begin := time.Now()
	if err := a.wait(d); err != nil {
		w.err.Store(&err)
	}
	w.took.Add(int64(time.Since(begin)))
	w.n.Add(1)
	w.free <- a
}

// mean is how long a wait took.
func (w *waits) mean() time.Duration { return time.Duration(w.took.Load() / max(w.n.Load(), 1)) }

// close frees what newWaits took, once no job waits any more.
func (w *waits) close() error {
	var errs []error
	if err := w.err.Load(); err != nil {
		errs = append(errs, *err)
	}
	for len(w.free) > 0 {
		errs = append(errs, (<-w.free).close())
	}
	return errors.Join(errs...)
}
