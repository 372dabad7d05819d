package leanmq

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
	waiting map[string]chan *Reply // by correlation id
	closed  bool

	dropped atomic.Int64
}

// OpenInbox opens an inbox. Close it.
func (c *Client) OpenInbox(ctx context.Context) (*Inbox, error) {
	in, err := c.s.OpenInbox(ctx, c.instance+"-"+newToken()[:6], inboxLease)
	if err != nil {
		return nil, wrap("open inbox", "", "", err)
	}
	run, cancel := context.WithCancel(context.Background())
	b := &Inbox{c: c, in: in, cancel: cancel, waiting: map[string]chan *Reply{}}
	b.wg.Go(func() { b.read(run) })
	b.wg.Go(func() { b.renew(run) })
	return b, nil
}

// Request sends a message and waits for the reply to it. The deadline of ctx,
// or else [DefaultRequestTimeout], travels with the message: a worker drops what
// nobody waits for any more.
//
// Errors: [ErrNoReply] when the time was up, those of Send, and the cause of
// ctx. A reply with an error status is a reply, not an error.
func (b *Inbox) Request(ctx context.Context, q *Queue, payload []byte, opts ...SendOption) (*Reply, error) {
	cfg, err := newSendConfig(opts)
	if err != nil {
		return nil, q.wrap("request", cfg.id, err)
	}
	return b.request(ctx, q, cfg.envelope(payload), cfg.terms)
}

func (b *Inbox) request(ctx context.Context, q *Queue, e store.Envelope, terms store.SendTerms) (*Reply, error) {
	timeout := DefaultRequestTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = time.Until(deadline)
	} else {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	if e.TTL == 0 {
		e.TTL = max(timeout.Milliseconds(), 1)
	}
	e.Inbox = b.in.Key
	e.Correlation = strconv.FormatUint(rand.Uint64(), 36)
	reply := make(chan *Reply, 1)
	if err := b.expect(e.Correlation, reply); err != nil {
		return nil, q.wrap("request", "", err)
	}
	defer b.forget(e.Correlation)

	id, err := q.send(ctx, e, terms)
	if err != nil {
		return nil, err
	}
	select {
	case r := <-reply:
		if r == nil {
			return nil, q.wrap("request", id, ErrClosed)
		}
		if err := b.c.openReply(r); err != nil {
			return nil, q.wrap("request", id, err)
		}
		return r, nil
	case <-ctx.Done():
		err := context.Cause(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("%w: %w", ErrNoReply, err)
		}
		return nil, q.wrap("request", id, err)
	}
}

func (b *Inbox) expect(correlation string, reply chan *Reply) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return ErrClosed
	}
	b.waiting[correlation] = reply
	return nil
}

func (b *Inbox) forget(correlation string) {
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
	b.mu.Lock()
	reply, ok := b.waiting[r.Correlation]
	delete(b.waiting, r.Correlation)
	b.mu.Unlock()
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
	reply <- answer
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
	for _, reply := range b.waiting {
		reply <- nil
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
