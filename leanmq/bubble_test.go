package leanmq_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/leanmq"
)

// inBubble runs a test on a clock that moves only when everything waits, with a
// store inside the bubble: minutes of leases and backoff take milliseconds, and
// times can be told exactly. Real servers prove the same promises elsewhere with
// shorter times.
func inBubble(t *testing.T, test func(t *testing.T, open func() *leanmq.Client)) {
	inBubbleWith(t, nil, test)
}

// inBubbleWith is inBubble with options of all clients.
func inBubbleWith(t *testing.T, opts []leanmq.Option, test func(t *testing.T, open func() *leanmq.Client)) {
	synctest.Test(t, func(t *testing.T) {
		server := miniredis.NewMiniRedis()
		server.ClockTTL(true)
		defer server.Close()
		test(t, func() *leanmq.Client {
			rdb := redis.NewClient(&redis.Options{
				Addr: "127.0.0.1:1", // go-redis looks names up
				Dialer: func(context.Context, string, string) (net.Conn, error) {
					conn, err := server.Dial()
					return newBuffered(conn), err
				},
			})
			defer func() { _ = rdb.Close() }()
			mq, err := leanmq.New(t.Context(), rdb, opts...)
			if err != nil {
				t.Fatal(err)
			}
			return mq
		})
	})
}

// buffered makes the writes of an in-memory connection return at once, as those of
// a socket do: a pipeline is written whole before its first reply is read.
type buffered struct {
	net.Conn
	mu     sync.Mutex
	filled *sync.Cond
	buf    []byte
	closed bool
}

func newBuffered(conn net.Conn) *buffered {
	b := &buffered{Conn: conn}
	b.filled = sync.NewCond(&b.mu)
	go b.drain()
	return b
}

func (b *buffered) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, net.ErrClosed
	}
	b.buf = append(b.buf, p...)
	b.filled.Signal()
	return len(p), nil
}

func (b *buffered) SetWriteDeadline(time.Time) error { return nil }

func (b *buffered) SetDeadline(t time.Time) error { return b.SetReadDeadline(t) }

func (b *buffered) Close() error {
	b.mu.Lock()
	b.closed = true
	b.filled.Signal()
	b.mu.Unlock()
	return b.Conn.Close()
}

func (b *buffered) drain() {
	for {
		b.mu.Lock()
		for len(b.buf) == 0 && !b.closed {
			b.filled.Wait()
		}
		out := b.buf
		b.buf = nil
		closed := b.closed
		b.mu.Unlock()
		if _, err := b.Conn.Write(out); err != nil || closed {
			return
		}
	}
}

// consumeIn consumes until the returned stop is called, which waits.
func consumeIn(t *testing.T, q *leanmq.Queue, h leanmq.Handler, opts ...leanmq.ConsumeOption) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := q.Consume(ctx, h, opts...); err != nil {
			t.Error(err)
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}
