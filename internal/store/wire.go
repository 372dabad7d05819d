package store

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// wire is a connection that this package writes to and reads from by itself, because
// go-redis copies a raw reply piece by piece. Dialing, TLS, AUTH, SELECT and what else
// makes a connection stay with go-redis. But for end it is not safe for concurrent use.
type wire struct {
	opts redis.Options
	out  []byte
	in   []byte // what was read; so many bytes of it
	used int    // are replies that were handed out
	size int    // of the largest recent reply that keep returned, and a little more

	mu    sync.Mutex // guards the rest, which end looks at
	rdb   *redis.Client
	held  *redis.Conn
	conn  net.Conn // nil before the first call, and after one that failed
	since time.Time
	over  bool
}

// call sends the commands together, reads their replies and returns the last one's,
// which may be an error. Those before it are for their effects.
func (w *wire) call(ctx context.Context, cmds ...[]any) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if w.expired(time.Now()) {
		_ = w.close()
	}
	if w.conn == nil {
		if err := w.connect(ctx); err != nil {
			return nil, err
		}
	}
	reply, err := w.exchange(cmds)
	if err == nil {
		if isReadOnly(rawError(reply)) {
			_ = w.close()
		}
		return reply, nil
	}
	_ = w.close() // nobody knows what is still to come
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return nil, ErrClosed
	}
	return nil, err
}

func (w *wire) exchange(cmds [][]any) ([]byte, error) {
	if err := w.bound(time.Now()); err != nil {
		return nil, err
	}
	for _, args := range cmds {
		if err := w.add(args); err != nil {
			return nil, err
		}
	}
	if err := w.flush(); err != nil {
		return nil, err
	}
	for range cmds[1:] {
		if _, err := w.next(); err != nil {
			return nil, err
		}
	}
	return w.keep()
}

// isReadOnly reports whether the server has become a replica: the next connection may
// lead to the new master.
func isReadOnly(err error) bool { return err != nil && strings.HasPrefix(err.Error(), "READONLY") }

// bound bounds the time that the next commands may take.
func (w *wire) bound(now time.Time) error {
	if w.opts.ReadTimeout < 0 { // the user wants none
		return w.conn.SetDeadline(time.Time{})
	}
	return w.conn.SetDeadline(now.Add(w.opts.ReadTimeout))
}

// live reports whether there is a connection that the server has not closed, and
// bounds its time.
func (w *wire) live(now time.Time) bool {
	return w.conn != nil && !w.expired(now) && w.bound(now) == nil && !closedByPeer(w.conn)
}

// expired reports whether the connection is older than the client's options allow.
func (w *wire) expired(now time.Time) bool {
	return w.conn != nil && w.opts.ConnMaxLifetime > 0 && now.Sub(w.since) > w.opts.ConnMaxLifetime
}

// connect has go-redis make a connection, and takes it.
func (w *wire) connect(ctx context.Context) error {
	opts := w.opts
	dial := opts.Dialer
	if dial == nil {
		dial = redis.NewDialer(&opts)
	}
	var made atomic.Pointer[net.Conn]
	opts.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err == nil {
			made.Store(&conn)
		}
		return conn, err
	}
	opts.Protocol = 2  // so that nothing comes unasked for
	opts.PoolSize = 10 // one is used; with 1, go-redis would go on dialing after a first failure
	opts.PipelinePoolSize = -1
	opts.MinIdleConns = 0
	rdb := redis.NewClient(&opts)
	held := rdb.EphemeralConn()
	w.mu.Lock()
	w.rdb, w.held = rdb, held
	over := w.over
	w.mu.Unlock()
	if over {
		_ = w.close()
		return ErrClosed
	}
	// Any command does, and one that the user must not use does as well.
	if err := held.Echo(ctx, "").Err(); err != nil && !redis.HasErrorPrefix(err, "NOPERM") {
		_ = w.close()
		return err
	}
	w.mu.Lock()
	w.conn, w.since = *made.Load(), time.Now()
	w.mu.Unlock()
	return nil
}

// close closes the connection, if there is one. The next call makes another.
func (w *wire) close() error {
	w.out, w.in, w.used = nil, nil, 0
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn = nil
	if w.rdb == nil {
		return nil
	}
	_ = w.held.Close()
	err := w.rdb.Close()
	w.rdb, w.held = nil, nil
	return err
}

// end closes the connection for good: a call that is under way fails.
func (w *wire) end() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	if w.rdb == nil {
		return nil
	}
	return w.rdb.Close() // and with it the connection
}
