package leanmq

import (
	"context"
	"net/http"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

// Cancel makes sure that a message is not handled any more, wherever it is: if it
// waits, it is removed; if a handler has it, in whatever process, its context ends
// with [ErrCanceled] and the message is dropped when it returns an error. One that
// returns nil all the same has won: the message is done. A canceled message is
// neither retried nor dead-lettered, and counted as canceled; a caller who waits for
// its reply gets one with status 410.
//
// removed reports whether it was removed at once. False means that it is, or will
// be, dropped by the worker that has it or gets it, within 24 hours; whether there is
// such a message at all is not known then, nor whether its handler has just
// finished. What is sent under the same [ID] after Cancel has returned is another
// message. Cancel is safe to repeat.
func (q *Queue) Cancel(ctx context.Context, id string) (removed bool, err error) {
	if q.err == nil && id == "" {
		return false, q.wrap("cancel", "", invalid("id", "is empty"))
	}
	if q.err != nil {
		return false, q.wrap("cancel", id, q.err)
	}
	c, err := q.sq.Cancel(ctx, id)
	switch {
	case err != nil:
		return false, q.wrap("cancel", id, err)
	case !c.Removed:
		// A mark is as exact as the times of sends, a millisecond: what is sent from
		// now on must be later than it.
		time.Sleep(time.Millisecond)
	case c.ReplyTo != "":
		// If it fails, the caller's time runs out.
		_ = q.c.s.Answer(ctx, store.Reply{To: c.ReplyTo, Status: http.StatusGone})
	}
	return c.Removed, nil
}

// cancellations are the marks of canceled messages that a consumer knows of. They
// need not be forgotten at once: they mean only what was sent before them.
type cancellations struct {
	at     map[string]int64 // by message id: when, in ms by the server's clock
	latest int64
}

const (
	// marksOverlap is how far back new marks are looked for, in case the server's
	// clock was set back.
	marksOverlap = int64(time.Minute / time.Millisecond)
	// spareMarks is how many outdated marks are kept at least.
	spareMarks = 1000
)

// marks are some that were read.
type marks struct {
	at  map[string]int64
	all bool // there are no others
}

// news reads the marks that were made since.
func (c *cancellations) news(ctx context.Context, q *store.Queue) (marks, error) {
	at, all, err := q.Marks(ctx, max(c.latest-marksOverlap, 0))
	if err != nil || len(c.at)+len(at) <= 2*all+spareMarks {
		return marks{at: at}, err
	}
	at, _, err = q.Marks(ctx, 0) // most of those we have are gone
	return marks{at, true}, err
}

func (c *cancellations) learn(news marks) {
	if news.all || c.at == nil {
		c.at = make(map[string]int64, len(news.at))
	}
	for id, t := range news.at {
		c.at[id] = t
		c.latest = max(c.latest, t)
	}
}

// has reports whether the message was canceled.
func (c *cancellations) has(m *Message) bool {
	at, ok := c.at[m.ID]
	return ok && m.SentAt.UnixMilli() <= at
}

// learnCanceled looks for messages that were canceled, and ends their handlers.
func (p *pool) learnCanceled(ctx context.Context) error {
	news, err := p.canceled.news(ctx, p.q.sq) // nobody else changes it
	if err != nil || len(news.at) == 0 && !news.all {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.canceled.learn(news)
	p.cancels.Store(len(p.canceled.at) > 0)
	for m := p.held.next; m != &p.held; m = m.next {
		if m.cancel != nil && p.canceled.has(m) {
			m.cancel.End(ErrCanceled)
		}
	}
	return nil
}

// isCanceled reports whether the message was canceled before its handler began.
func (p *pool) isCanceled(m *Message) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.canceled.has(m)
}

// dropCanceled is the verdict on a canceled message. Its mark goes with it.
func (m *Message) dropCanceled() {
	m.verdict = verdict{outcome: outcomeCanceled}
	m.SetResult(nil)
	if m.replyTo != "" {
		m.reply = &Reply{Status: http.StatusGone}
	}
}
