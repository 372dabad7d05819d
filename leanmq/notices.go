package leanmq

import (
	"context"
	"sync"
)

// noticeHub spreads the notices between processes inside this one. It listens
// only while somebody wants to hear.
type noticeHub struct {
	listen func(ctx context.Context, each func(string))

	mu     sync.Mutex
	closed bool
	next   int
	subs   map[int]func(string)
	cancel context.CancelFunc
	done   chan struct{}
}

func (h *noticeHub) add(each func(string)) (stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return func() {}
	}
	id := h.next
	h.next++
	if h.subs == nil {
		h.subs = map[int]func(string){}
	}
	h.subs[id] = each
	if h.cancel == nil {
		var ctx context.Context
		ctx, h.cancel = context.WithCancel(context.Background())
		done := make(chan struct{})
		h.done = done
		go func() {
			defer close(done)
			h.listen(ctx, h.spread)
		}()
	}
	return func() { h.remove(id) }
}

func (h *noticeHub) spread(notice string) {
	h.mu.Lock()
	subs := make([]func(string), 0, len(h.subs))
	for _, each := range h.subs {
		subs = append(subs, each)
	}
	h.mu.Unlock()
	for _, each := range subs {
		each(notice)
	}
}

// remove ends a subscription, and the listening with the last one.
func (h *noticeHub) remove(id int) {
	h.mu.Lock()
	delete(h.subs, id)
	last := len(h.subs) == 0
	h.mu.Unlock()
	if last {
		h.close()
	}
}

// close stops listening, if nobody wants to hear any more, and waits for it.
func (h *noticeHub) close() {
	h.mu.Lock()
	cancel, done := h.cancel, h.done
	if cancel == nil || len(h.subs) > 0 {
		h.mu.Unlock()
		return
	}
	h.cancel = nil
	h.mu.Unlock()
	cancel()
	<-done
}

// closeAll ends all subscriptions, for good.
func (h *noticeHub) closeAll() {
	h.mu.Lock()
	h.closed = true
	clear(h.subs)
	h.mu.Unlock()
	h.close()
}
