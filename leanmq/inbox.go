package leanmq

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

const (
	// inboxLease is how long an inbox outlives its process.
	inboxLease = 30 * time.Second
	// inboxRenew is how often the lease is renewed, and so how soon an inbox
	// that was flushed away exists again.
	inboxRenew = 2 * time.Second
	// DefaultRequestTimeout bounds a Request whose context has no deadline.
	DefaultRequestTimeout = 30 * time.Second
)

// Reply answers a request. Status is an HTTP status code. Headers whose names have
// less than 2 bytes are dropped, and so is ":encoding", which is LeanMQ's own.
type Reply struct {
	Status  int
	Header  Header
	Payload []byte
}

// Inbox is where the replies to one process's requests arrive: a stream of its
// own with a lease, read by one connection, whatever the number of requests
// that wait. It is safe for concurrent use.
type Inbox struct {
	c      *Client
	in     *store.Inbox
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	waiting map[uint64]chan replyOrError // by correlation id
	closed  bool

	dropped atomic.Int64

	// waiters have delivered how a request ended: whoever sent that had taken the channel
	// out of the inbox, so that nobody has it any more. Those of requests whose context
	// ended may still get one, and are not used again. They are the inbox's own because a
	// channel must stay in its testing/synctest bubble.
	waiters sync.Pool
}

// OpenInbox opens an inbox. Close it.
func (c *Client) OpenInbox(ctx context.Context) (*Inbox, error) {
	in, err := c.s.OpenInbox(ctx, c.instance+"-"+newToken()[:6], inboxLease)
	if err != nil {
		return nil, wrap("open inbox", "", "", err)
	}
	run, cancel := context.WithCancel(context.Background())
	b := &Inbox{c: c, in: in, cancel: cancel, waiting: map[uint64]chan replyOrError{}}
	b.wg.Go(func() { b.read(run) })
	b.wg.Go(func() { b.renew(run) })
	return b, nil
}

// correlationBase is how correlation ids are written in messages and replies.
const correlationBase = 36

func (b *Inbox) expect(w wait) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	b.waiting[w.correlation] = w.end
	return nil
}

func (b *Inbox) forget(correlation uint64) {
	b.mu.Lock()
	delete(b.waiting, correlation)
	b.mu.Unlock()
}

// read takes replies to those who wait for them.
func (b *Inbox) read(ctx context.Context) {
	o := outage{log: b.c.log, what: "replies", hooks: b.c.hooks}
	for ctx.Err() == nil {
		err := b.in.Read(ctx, readWait, b.arrived)
		if err == nil {
			o.ok()
			continue
		}
		if ctx.Err() == nil {
			o.failed(ctx, err)
			// It may be gone, and reading what is not there is no error.
			_ = b.in.Renew(ctx, inboxLease)
		}
	}
}

// arrived passes on one reply. One that nobody waits for, because it is late, a
// duplicate or not ours, is dropped and counted.
func (b *Inbox) arrived(r store.Reply) {
	n, err := strconv.ParseUint(r.Correlation, correlationBase, 64)
	if err != nil {
		b.dropped.Add(1)
		return
	}
	end, ok := b.take(n)
	if !ok {
		b.dropped.Add(1)
		return
	}
	answer := &Reply{Status: r.Status, Payload: r.Payload}
	if len(r.Header) > 0 {
		answer.Header = make(Header, len(r.Header)/2)
		for i := 0; i+1 < len(r.Header); i += 2 {
			answer.Header[r.Header[i]] = r.Header[i+1]
		}
	}
	end <- replyOrError{reply: answer}
}

// take takes the channel of whoever waits for a reply out of the inbox.
func (b *Inbox) take(correlation uint64) (end chan replyOrError, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	end, ok = b.waiting[correlation]
	delete(b.waiting, correlation)
	return end, ok
}

// renew keeps the inbox alive.
func (b *Inbox) renew(ctx context.Context) {
	t := time.NewTicker(inboxRenew)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			_ = b.in.Renew(ctx, inboxLease) // read reports outages
		}
	}
}

// InboxStats counts what an inbox has seen.
type InboxStats struct {
	Waiting int   // requests without a reply yet
	Dropped int64 // replies that nobody waited for
}

// Stats returns the counts of now.
func (b *Inbox) Stats() InboxStats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return InboxStats{Waiting: len(b.waiting), Dropped: b.dropped.Load()}
}

// Close ends the inbox. Requests that still wait fail with [ErrClosed]. Closing
// twice is fine.
func (b *Inbox) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	for _, end := range b.waiting {
		end <- replyOrError{err: ErrClosed}
	}
	clear(b.waiting)
	b.mu.Unlock()
	b.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), settleGrace)
	defer cancel()
	interruptUntil(&b.wg, b.in.Interrupt)
	return wrap("close inbox", "", "", b.in.Close(ctx))
}

// answer makes sure that the caller of a request gets one answer, and that an
// answered message is done. Only a RetryAfter, the handler's own or a rule's, that
// is due before the caller's deadline leaves the answer to a later attempt.
func (p *pool) answer(m *Message, err error) {
	switch {
	case m.verdict.outcome == outcomeKeep:
		m.reply = nil
		return
	case m.verdict.outcome == outcomeRetry && m.verdict.asked &&
		time.Now().Add(m.verdict.delay).Before(p.c.local(m.Deadline)):
		m.reply = nil
		return
	case m.reply == nil && err == nil:
		m.reply = &Reply{Status: http.StatusOK}
	case m.reply == nil:
		m.reply = &Reply{Status: http.StatusInternalServerError}
	}
	if err != nil && m.reply.Status >= http.StatusInternalServerError {
		p.log.Error().Str("id", m.ID).AnErr("error", err).Msg("request failed")
	}
	m.verdict = verdict{outcome: outcomeDone}
}
