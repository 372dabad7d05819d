package leanmq

import (
	"slices"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

// run is what hooks want to know of a handler's run until it is settled.
type run struct {
	start time.Time
	took  time.Duration
	err   error
}

// noteRun keeps it with the message, if anybody wants to know.
func (c *Client) noteRun(m *Message, start time.Time, took time.Duration, err error) {
	if c.hooks != nil && c.hooks.handled != nil {
		m.run = &run{start, took, err}
	}
}

// observe tells the Sent hooks of one call. sent reports on message i.
func (s *sending) observe(q *Queue, n int, err error, start time.Time, sent func(i int) bool) {
	if s.sent == nil {
		return
	}
	info := SendInfo{Queue: q.name, Count: n, Took: time.Since(start), Err: err}
	for i := range n {
		if sent(i) {
			info.Sent++
		}
	}
	tell(s.sent, info)
}

func (m *Message) info() MessageInfo { return MessageInfo{m.Queue, m.ID, m.Attempt} }

// observeSettled tells what became of messages that were settled, but for those
// whose entries are lost. Not under a lock.
func (c *Client) observeSettled(batch []*Message, lost []string) {
	h := c.hooks
	if h == nil {
		return
	}
	for _, m := range batch {
		if slices.Contains(lost, m.entry) {
			if !m.lost { // told already
				tell(h.leaseLost, m.info())
			}
			c.observeRun(m, OutcomeLost)
			continue
		}
		switch v := &m.verdict; {
		case v.outcome == outcomeExpired:
			tell(h.expired, m.info())
			c.observeRun(m, OutcomeDropped)
		case v.outcome == outcomeCanceled:
			c.observeRun(m, OutcomeDropped)
		case v.outcome == outcomeDead:
			if v.reason == ReasonExpired {
				tell(h.expired, m.info())
			}
			tell(h.dead, DeadInfo{m.info(), v.reason, v.err})
			c.observeRun(m, OutcomeDead)
		case v.outcome == outcomeRetry:
			c.observeRun(m, OutcomeRetry)
		case v.outcome == outcomeDone:
			c.observeRun(m, OutcomeDone)
		}
	}
}

// tellKeptLocked tells of messages that are not left to the settler: nobody else is
// going to.
func (p *pool) tellKeptLocked(ms ...*Message) {
	if p.c.hooks == nil {
		return
	}
	var kept []*Message
	for _, m := range ms {
		if !m.settling && (m.run != nil || m.tx == txSettled) {
			kept = append(kept, m)
		}
	}
	if len(kept) == 0 {
		return
	}
	p.mu.Unlock()
	for _, m := range kept {
		p.observeKept(m)
	}
	p.mu.Lock()
}

// observeKept tells of a run whose message the settler does not see.
func (p *pool) observeKept(m *Message) {
	if m.tx == txSettled {
		p.c.observeSettled([]*Message{m}, nil)
	} else if m.lost {
		p.c.observeRun(m, OutcomeLost)
	} else {
		p.c.observeRun(m, OutcomeHandedBack)
	}
}

// observeUnsettled tells of runs that ended without a say.
func (c *Client) observeUnsettled(batch []*Message, outcome Outcome) {
	if c.hooks == nil {
		return
	}
	for _, m := range batch {
		c.observeRun(m, outcome)
	}
}

// observeRun tells of a run, if there was one.
func (c *Client) observeRun(m *Message, outcome Outcome) {
	if m.run == nil {
		return
	}
	tell(c.hooks.handled, HandleInfo{
		Queue: m.Queue, ID: m.ID, Attempt: m.Attempt, Outcome: outcome,
		Waited: max(m.run.start.Sub(c.local(m.SentAt)), 0), Took: m.run.took, Err: m.run.err,
	})
}

// observeLost tells of leases that a renewal found lost.
func (c *Client) observeLost(lost []MessageInfo) {
	if c.hooks == nil {
		return
	}
	for _, m := range lost {
		tell(c.hooks.leaseLost, m)
	}
}

// observeCrashed tells of messages that a reclaim has dead-lettered: it counts
// them only.
func (c *Client) observeCrashed(q *store.Queue, n int) {
	if c.hooks == nil {
		return
	}
	for range n {
		tell(c.hooks.dead, DeadInfo{MessageInfo: MessageInfo{Queue: q.Name}, Reason: ReasonCrashed})
	}
}

// pulledSeen is what hooks have been told of a pulled message.
type pulledSeen struct {
	tried bool // to settle it: one that failed may have done so
	told  bool // what became of it
}

// observe tells what came of a try to settle a pulled message, once.
func (m *Pulled) observe(lost []string, err error) {
	tried := m.seen.tried
	m.seen.tried = true
	if err != nil || m.seen.told {
		return
	}
	m.seen.told = true
	if tried {
		lost = nil
	}
	if m.run != nil {
		m.run.took = time.Since(m.run.start)
	}
	m.p.q.c.observeSettled([]*Message{m.Message}, lost)
}

// observeCause notes why a pulled message failed.
func (m *Pulled) observeCause(cause error) {
	if m.run != nil {
		m.run.err = cause
	}
}

// observeLost tells that the lease of a pulled message was lost, once.
func (m *Pulled) observeLost() {
	if !m.lost && !m.seen.told {
		m.lost = true
		m.p.q.c.observeLost([]MessageInfo{m.info()})
	}
}

// observeShare tells which partitions are this process's now.
func (h *hooks) observeShare(info ShareInfo) {
	if h != nil {
		tell(h.shared, info)
	}
}

// observeOutage tells that one begins, or, without err, that it is over.
func (h *hooks) observeOutage(what, queue string, err error, lasted time.Duration) {
	if h != nil {
		tell(h.outage, OutageInfo{what, queue, err, lasted})
	}
}
