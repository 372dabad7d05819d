package leanmq

import (
	"context"
	"sync"

	"github.com/leanmq/leanmq/internal/store"
)

// noticeHub spreads what is told between processes inside this one. It listens
// only while somebody wants to hear, over one connection.
type noticeHub struct {
	s *store.Store

	mu       sync.Mutex
	closed   bool
	next     int
	subs     map[string]map[int]func(string) // by channel
	listener *store.Listener                 // while there are any
	cancel   context.CancelFunc
	done     chan struct{}
}

// add calls each for everything that is told on the channel until stop is called;
// "" means that something may have been missed. each must not wait for anything.
func (h *noticeHub) add(channel string, each func(string)) (stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return func() {}
	}
	if h.listener == nil {
		h.listen()
	}
	id := h.next
	h.next++
	if h.subs[channel] == nil {
		h.subs[channel] = map[int]func(string){}
		h.listener.Hear(channel, func(notice string) { h.spread(channel, notice) })
	}
	h.subs[channel][id] = each
	return func() { h.remove(channel, id) }
}

func (h *noticeHub) listen() {
	ctx, cancel := context.WithCancel(context.Background())
	l, done := h.s.NewListener(), make(chan struct{})
	h.subs, h.listener, h.cancel, h.done = map[string]map[int]func(string){}, l, cancel, done
	go func() {
		defer close(done)
		l.Run(ctx)
	}()
}

func (h *noticeHub) spread(channel, notice string) {
	h.mu.Lock()
	subs := make([]func(string), 0, len(h.subs[channel]))
	for _, each := range h.subs[channel] {
		subs = append(subs, each)
	}
	h.mu.Unlock()
	for _, each := range subs {
		each(notice)
	}
}

// remove ends a subscription, and the listening with the last one.
func (h *noticeHub) remove(channel string, id int) {
	h.mu.Lock()
	delete(h.subs[channel], id)
	if h.subs[channel] != nil && len(h.subs[channel]) == 0 {
		delete(h.subs, channel)
		h.listener.Leave(channel)
	}
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
	if h.listener == nil || len(h.subs) > 0 {
		h.mu.Unlock()
		return
	}
	h.listener = nil
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
