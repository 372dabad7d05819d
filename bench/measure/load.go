package measure

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Load is callers that each make one call after another.
type Load struct {
	Callers int
	For     time.Duration
	Max     int // calls of all callers together; 0: any number
}

// Calls is what came of a load.
type Calls struct {
	Took    []time.Duration // one for each call, in no order
	Elapsed time.Duration   // from the first call to the end of the last one
}

// Run calls f with the number of its caller until the time is over. A caller ends
// with its first error.
func (l Load) Run(f func(caller int) error) (Calls, error) {
	took := make([][]time.Duration, l.Callers)
	errs := make([]error, l.Callers)
	var made atomic.Int64
	begin := time.Now()
	var wg sync.WaitGroup
	for i := range l.Callers {
		wg.Go(func() {
			mine := make([]time.Duration, 0, 1024)
			defer func() { took[i] = mine }()
			for at := time.Now(); at.Sub(begin) < l.For; {
				if l.Max > 0 && made.Add(1) > int64(l.Max) {
					return
				}
				if err := f(i); err != nil {
					errs[i] = err
					return
				}
				now := time.Now()
				mine = append(mine, now.Sub(at))
				at = now
			}
		})
	}
	wg.Wait()
	c := Calls{Elapsed: time.Since(begin)}
	for _, t := range took {
		c.Took = append(c.Took, t...)
	}
	return c, errors.Join(errs...)
}

// Rate is the calls of a second.
func (c Calls) Rate(unit string) Measure {
	return Measure{Rate, unit, float64(len(c.Took)) / c.Elapsed.Seconds()}
}
