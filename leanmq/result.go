package leanmq

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

// maxResultKeep bounds KeepResult.
const maxResultKeep = 30 * 24 * time.Hour

// KeepResult keeps what becomes of the message for d (1 ms to 30 days) after its
// end, for [Queue.Result]: what its handler set with [Message.SetResult] or replied,
// or its last error when it is dead.
func KeepResult(d time.Duration) SendOption {
	return func(c *sendConfig) {
		if d < time.Millisecond || d > maxResultKeep {
			c.fail(invalid("KeepResult", "is %v: want 1ms to 30 days", d))
		}
		c.keep = d
	}
}

// SetResult sets the message's result, which is kept when the handler returns nil.
// Without [KeepResult] it does nothing. A later one replaces an earlier one; the
// slice belongs to the message until it is settled.
func (m *Message) SetResult(result []byte) {
	if x := m.extra; x != nil && x.keepResult > 0 {
		x.result, x.resultMark = result, ""
	}
}

// packedResult is the result as it is stored: with the mark that says how it is
// sealed.
func (x *extra) packedResult() string {
	if x.keepResult == 0 {
		return ""
	}
	return store.Pack(x.resultMark, string(x.result))
}

// How a message ended.
const (
	ResultDone     = "done"
	ResultDead     = "dead"
	ResultCanceled = "canceled"
	ResultExpired  = "expired"
)

// Result is how a message ended.
type Result struct {
	ID      string
	Status  string // one of the Result constants
	Payload []byte // what the handler set, when it is done
	Error   string // the last error, when it is dead
	At      time.Time
}

// Result waits until the message with this id, which was sent to this queue with
// [KeepResult], has ended, and returns how. It may be called in any process, any
// number of times while the result is kept; it goes on waiting while Redis is away.
// When ctx ends first the error wraps [ErrNoResult] and the cause, and
// [ErrUnavailable] if Redis is away then, or has not answered a look that was under
// way; with a context that has ended already it looks once, without waiting.
func (q *Queue) Result(ctx context.Context, id string) (*Result, error) {
	if q.err != nil {
		return nil, q.wrap("result", id, q.err)
	}
	if ctx.Err() != nil {
		r, err := q.result(context.WithoutCancel(ctx), id)
		if r == nil && err == nil {
			err = q.noResult(ctx, id, nil)
		}
		return r, err
	}
	news, stop := q.c.results.add(q, id)
	defer stop()
	for {
		r, err := q.result(ctx, id)
		wait := resultPoll/2 + rand.N(resultPoll)
		switch {
		case r != nil:
			return r, nil
		case err == nil:
		case ctx.Err() != nil:
			return nil, q.noResult(ctx, id, err) // Redis did not answer in time
		case !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrUnknown):
			return nil, err
		default:
			wait = outagePoll/2 + rand.N(outagePoll)
		}
		select {
		case <-news:
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, q.noResult(ctx, id, err)
		}
	}
}

// noResult is the error of a wait that ctx ended, while Redis was away if outage is
// not nil.
func (q *Queue) noResult(ctx context.Context, id string, outage error) error {
	err := fmt.Errorf("%w: %w", ErrNoResult, context.Cause(ctx))
	if outage != nil {
		err = fmt.Errorf("%w; %w", err, ErrUnavailable)
	}
	return q.wrap("result", id, err)
}

func (q *Queue) result(ctx context.Context, id string) (*Result, error) {
	r, err := q.sq.ResultOf(ctx, id)
	if err != nil || r == nil {
		return nil, q.wrap("result", id, err)
	}
	out := &Result{ID: id, Status: r.Status, At: r.At}
	if r.Status != ResultDone {
		out.Error = string(r.Value)
		return out, nil
	}
	parts, err := store.UnpackFields(string(r.Value))
	if err != nil || len(parts) != 2 {
		return nil, q.wrap("result", id, fmt.Errorf("the stored result is damaged"))
	}
	if out.Payload, err = q.c.unseal(parts[1], Header{headerEncoding: string(parts[0])}); err != nil {
		err = fmt.Errorf("%w: the result %w", ErrUndecodable, err)
	}
	return out, q.wrap("result", id, err)
}

const (
	// resultPoll is about how often a waiting Result looks without being told.
	resultPoll = 5 * time.Second
	// outagePoll is about how often it does while Redis is away.
	outagePoll = 500 * time.Millisecond
)

// resultHub wakes those who wait for results, of all queues of a client. It listens
// to a queue while somebody waits for one of its results.
type resultHub struct {
	mu     sync.Mutex
	queues map[string]*resultWaits
}

// resultWaits are those who wait for results of one queue.
type resultWaits struct {
	waiting  map[string]map[chan struct{}]struct{} // by message id
	unlisten func()
}

func (h *resultHub) add(q *Queue, id string) (news <-chan struct{}, stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.queues[q.name]
	if w == nil {
		if h.queues == nil {
			h.queues = map[string]*resultWaits{}
		}
		w = &resultWaits{waiting: map[string]map[chan struct{}]struct{}{}}
		w.unlisten = q.c.notices.add(q.sq.Results(), func(id string) { h.tell(w, id) })
		h.queues[q.name] = w
	}
	c := make(chan struct{}, 1)
	if w.waiting[id] == nil {
		w.waiting[id] = map[chan struct{}]struct{}{}
	}
	w.waiting[id][c] = struct{}{}
	return c, func() { h.remove(q, w, id, c) }
}

// tell wakes those who wait for id, or all when it is "".
func (h *resultHub) tell(w *resultWaits, id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	wake := func(cs map[chan struct{}]struct{}) {
		for c := range cs {
			signal(c)
		}
	}
	if id != "" {
		wake(w.waiting[id])
		return
	}
	for _, cs := range w.waiting {
		wake(cs)
	}
}

// remove ends a wait, and the listening with the last one.
func (h *resultHub) remove(q *Queue, w *resultWaits, id string, c chan struct{}) {
	h.mu.Lock()
	delete(w.waiting[id], c)
	if len(w.waiting[id]) == 0 {
		delete(w.waiting, id)
	}
	last := len(w.waiting) == 0
	if last {
		delete(h.queues, q.name)
	}
	h.mu.Unlock()
	if last {
		w.unlisten()
	}
}
