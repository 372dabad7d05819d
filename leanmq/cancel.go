package leanmq

import "context"

// Cancel makes sure that a message is not handled any more, wherever it is: if it
// waits, it is removed; if a handler has it, in whatever process, its context ends
// with [ErrCanceled] and the message is dropped when it returns. A canceled message
// is neither retried nor dead-lettered, and counted as canceled.
//
// removed reports whether it was removed at once. False means that it is, or will
// be, dropped by the worker that has it, within 24 hours; whether there is such a
// message at all is not known then, nor whether its handler has just finished.
func (q *Queue) Cancel(ctx context.Context, id string) (removed bool, err error) {
	if q.err == nil && id == "" {
		return false, q.wrap("cancel", "", invalid("id", "is empty"))
	}
	if q.err != nil {
		return false, q.wrap("cancel", id, q.err)
	}
	removed, err = q.sq.Cancel(ctx, id)
	return removed, q.wrap("cancel", id, err)
}

// cancelHeld ends the handlers of messages that were canceled.
func (p *pool) cancelHeld() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.canceled) == 0 {
		return
	}
	for m := p.held.next; m != &p.held; m = m.next {
		if _, ok := p.canceled[m.ID]; ok && m.cancel != nil {
			m.cancel(ErrCanceled)
		}
	}
}

// isCanceled reports whether the message was canceled before its handler began.
func (p *pool) isCanceled(m *Message) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.canceled[m.ID]
	return ok
}

// dropCanceled is the verdict on a canceled message. Its mark goes with it.
func (p *pool) dropCanceled(m *Message) {
	m.verdict = verdict{outcome: outcomeCanceled}
	p.log.Info().Str("id", m.ID).Msg("canceled")
	if err := p.q.sq.Uncancel(context.Background(), m.ID); err == nil {
		p.mu.Lock()
		delete(p.canceled, m.ID)
		p.mu.Unlock()
	}
}
