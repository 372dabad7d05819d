package store_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/leanmq/leanmq/internal/store"
)

// settle returns the entries that w does not own any more.
func (m *model) settle(level int, w string, st *store.Settlement) (lost []string) {
	own := func(entry string) *msg {
		if x := m.find(level, entry); x != nil && x.place == isInFlight && x.owner == w {
			return x
		}
		return nil
	}
	done := func(entry, epoch string, then func(x *msg)) {
		if x := own(entry); x != nil {
			then(x)
		} else if m.epochs[w] == "" || m.epochs[w] != epoch {
			lost = append(lost, entry)
		} // else it was settled before
	}
	for _, d := range st.Done {
		for _, entry := range d.IDs {
			done(entry, d.Epoch, func(x *msg) {
				m.leave(x)
				m.end(x, isGone, "", "")
			})
		}
	}
	for _, f := range st.Finished {
		done(f.ID, f.Epoch, func(x *msg) {
			m.leave(x)
			status := "done"
			if f.Counter != "" {
				status = f.Counter
				m.counted[f.Counter]++
				delete(m.canceled, x.id) // the only counter that is used here
			}
			m.end(x, isGone, status, f.Result)
		})
	}
	for _, r := range st.Retries {
		x := own(r.ID)
		if x == nil {
			lost = append(lost, r.ID)
			continue
		}
		m.leave(x)
		x.hasID, x.hasTime, x.tried = true, true, true
		x.attempts, x.err = r.Attempts, r.Error
		x.place, x.entry, x.due, x.dueAfter = isScheduled, "", 0, r.Delay
		m.delayed = append(m.delayed, x)
	}
	for _, d := range st.Dead {
		if x := own(d.ID); x != nil {
			m.bury(x, d.Reason, d.Error, d.Attempts)
		} else {
			lost = append(lost, d.ID)
		}
	}
	return lost
}

func (m *model) reclaim(level int, w string, n, most int) (got []*msg, buried int) {
	if m.limits.Running > 0 { // with leases of 0 ms, all that run are to run again
		n = min(n, m.limits.Running)
	}
	var stale []*msg
	for _, x := range m.streams[level] {
		if x.place == isInFlight && len(stale) < n {
			stale = append(stale, x)
		}
	}
	for _, x := range stale {
		worn := most > 0 && x.deliveries >= most
		if worn || x.owner != w {
			m.bump(x.owner)
		}
		if worn {
			m.bury(x, "crashed", fmt.Sprintf("delivered %d times without being settled, last to %s", x.deliveries, x.owner), x.attempts)
			buried++
			continue
		}
		x.owner = w
		x.deliveries++
		got = append(got, x)
	}
	return got, buried
}

// lapse hands back what workers have, without taking it over.
func (m *model) lapse(level int) (n int) {
	for _, w := range slices.Sorted(maps.Keys(m.consumers[level])) {
		owned := m.owned(level, w)
		if len(owned) > 0 {
			m.bump(w)
		}
		for _, x := range owned {
			x.owner = "released"
		}
		n += len(owned)
	}
	return n
}

// bump changes a worker's epoch: something is taken from it.
func (m *model) bump(w string) {
	if epoch := m.epochs[w]; epoch != "" {
		at, _ := strconv.ParseInt(epoch, 10, 64)
		m.epochs[w] = strconv.FormatInt(at+1, 10)
	}
}

func (m *model) handBack(xs []*msg) {
	for _, x := range xs {
		x.owner, x.deliveries = "released", max(x.deliveries-1, 0)
	}
}
