package leanmq

import (
	"github.com/leanmq/leanmq/internal/store"
)

// deliver takes entries of a level that were read, or reclaimed, under epoch.
func (p *pool) deliver(s *source, entries []store.Entry, epoch string) {
	var lost []MessageInfo
	defer func() { p.c.observeLost(lost) }() // not under the lock
	p.mu.Lock()
	defer p.mu.Unlock()
	for m := range messages(p.q.name, entries) {
		m.epoch, m.source = epoch, s
		switch held := p.heldAs(m); {
		case held == nil:
		case m.Deliveries > 1:
			continue // reclaimed from ourselves while it runs
		default:
			lost = p.loseLocked(held, "its group was rewound", lost)
		}
		m.next, m.prev = &p.held, p.held.prev
		m.prev.next, m.next.prev = m, m
		p.nheld++
		p.at[s.level]++
		if m.malformed != nil {
			m.buryMalformed()
			p.settleLocked(m)
			continue
		}
		p.ready[s.level].push(m)
		p.employLocked()
	}
	if p.settings.Paused || p.resting {
		p.lookSoon() // it is handed back then
	}
}

// heldAs returns the message with the same entry that is held already, or nil. Only
// what is delivered again can have one.
func (p *pool) heldAs(m *Message) *Message {
	if m.Deliveries <= 1 && !m.source.rewound(m.entry) {
		return nil
	}
	for h := p.held.next; h != &p.held; h = h.next {
		if h.entry == m.entry && h.source == m.source && !h.lost {
			return h
		}
	}
	return nil
}

// rewound is told of each new entry in turn, and reports whether it is one that a
// topic's group had before.
func (s *source) rewound(entry string) bool {
	if s.level != published {
		return false
	}
	if s.newest == "" || store.Before(s.newest, entry) {
		s.newest = entry
		return false
	}
	return true
}

// loseLocked ends the handler of a message that this process does not own any more,
// and adds it to those that hooks are to be told of.
func (p *pool) loseLocked(m *Message, why string, tell []MessageInfo) []MessageInfo {
	if m.lost || m.settling || m.tx != txNone || m.next == nil { // told already, or its settling tells
		return tell
	}
	m.lost = true
	if m.cancel != nil {
		m.cancel.End(ErrLeaseLost)
	}
	p.log.Warn().Str("id", m.ID).Msg("lease lost: " + why)
	if p.c.hooks != nil {
		tell = append(tell, m.info())
	}
	return tell
}

// releaseLocked drops a message from what is held.
func (p *pool) releaseLocked(m *Message) {
	m.prev.next, m.next.prev = m.next, m.prev
	m.next, m.prev = nil, nil
	p.nheld--
	p.at[m.source.level]--
	p.signalLocked()
}
