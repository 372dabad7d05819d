package store

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
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

// add adds a command to those that flush sends. What fills a buffer is sent already.
func (w *wire) add(args []any) error {
	w.out = appendHead(w.out, '*', len(args))
	for _, arg := range args {
		switch v := arg.(type) {
		case string:
			w.out = append(append(appendHead(w.out, '$', len(v)), v...), crlf...)
		case []byte:
			if err := w.addBytes(v); err != nil {
				return err
			}
		case int:
			w.out = appendNumber(w.out, int64(v))
		case int64:
			w.out = appendNumber(w.out, v)
		default:
			return fmt.Errorf("%w: %T as an argument", errProtocol, arg)
		}
	}
	return w.flushFull()
}

// addition adds one.
func (w *wire) addition(a *addition) error {
	w.out = append(w.out, a.bytes[:a.at]...)
	if err := w.addData(a.apart); err != nil {
		return err
	}
	w.out = append(w.out, a.bytes[a.at:]...)
	return w.flushFull()
}

// addBytes adds an argument.
func (w *wire) addBytes(v []byte) error {
	w.out = appendHead(w.out, '$', len(v))
	if err := w.addData(v); err != nil {
		return err
	}
	w.out = append(w.out, crlf...)
	return nil
}

// addData adds what is in an argument. What is large is not copied.
func (w *wire) addData(v []byte) error {
	if len(v) < largeArg {
		w.out = append(w.out, v...)
		return nil
	}
	if err := w.flush(); err != nil {
		return err
	}
	_, err := w.conn.Write(v)
	return err
}

func (w *wire) flushFull() error {
	if len(w.out) < fullBuffer {
		return nil
	}
	return w.flush()
}

func (w *wire) flush() error {
	_, err := w.conn.Write(w.out)
	w.out = w.out[:0]
	return err
}

const (
	// largeArg is the size from which copying takes longer than a write of its own.
	largeArg = 16 << 10
	// fullBuffer is the size at which a buffer is written.
	fullBuffer = 64 << 10
	crlf       = "\r\n"
)

func appendHead(b []byte, kind byte, n int) []byte {
	return append(strconv.AppendInt(append(b, kind), int64(n), 10), crlf...)
}

func appendNumber(b []byte, n int64) []byte {
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], n, 10)
	return append(append(appendHead(b, '$', len(text)), text...), crlf...)
}

// keptBuffer is the size up to which a buffer is kept for further use.
const keptBuffer = 256 << 10

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

// maxBulk is the largest string there is in Redis, by default.
const maxBulk = 512 << 20

// minRead is the room there is for a read.
const minRead = 4 << 10

// largeReply is the size from which a copy costs more than memory that is larger than
// need be.
const largeReply = 64 << 10

// keep returns one reply for good: messages go on using its memory. A small one is
// copied, and what is small for what it was read to; a large one takes that along, and the
// next one is read to as much, because growing costs more copies than reading.
func (w *wire) keep() ([]byte, error) {
	if w.used == len(w.in) {
		w.in, w.used = w.in[:0], 0
		if n := cap(w.in); n < w.size || n > max(keptBuffer, 2*w.size) {
			w.in = make([]byte, 0, w.size)
		}
	}
	reply, err := w.reply()
	if err != nil {
		return nil, err
	}
	w.size = max(len(reply)+minRead, w.size-w.size/4)
	if len(reply) < largeReply || len(reply) < cap(w.in)/2 {
		return bytes.Clone(reply), nil
	}
	w.in, w.used = bytes.Clone(w.in[w.used:]), 0
	return reply, nil
}

// next returns one reply, which lasts until the next call.
func (w *wire) next() ([]byte, error) {
	if w.used == len(w.in) {
		w.in, w.used = w.in[:0], 0
		if cap(w.in) > keptBuffer {
			w.in = nil
		}
	}
	return w.reply()
}

func (w *wire) reply() ([]byte, error) {
	start := w.used
	end, err := w.await(&w.in, start)
	if err != nil {
		return nil, err
	}
	w.used = end
	return w.in[start:end:end], nil
}

// await reads until there is a reply in b from at on, and returns the end of that.
func (w *wire) await(b *[]byte, at int) (end int, err error) {
	s := scan{at: at, missing: 1}
	for {
		end, more, err := s.next(*b)
		if err != nil || more == 0 {
			return end, err
		}
		if cap(*b)-len(*b) < more {
			*b = slices.Grow(*b, max(more, minRead))
		}
		n, err := w.conn.Read((*b)[len(*b):cap(*b)])
		*b = (*b)[:len(*b)+n]
		if err != nil && n == 0 {
			return 0, err
		}
	}
}

// scan looks for the end of a reply while it arrives.
type scan struct {
	at      int // all before it is known
	missing int // values after that
}

// next returns the end of the reply, or how many bytes are missing at least.
func (s *scan) next(b []byte) (end, more int, err error) {
	for s.missing > 0 {
		size := bytes.IndexByte(b[s.at:], '\n')
		if size < 0 {
			return 0, 1, nil
		}
		line, after := bytes.TrimSuffix(b[s.at:s.at+size], []byte{'\r'}), s.at+size+1
		kind := byte(0)
		if len(line) > 0 {
			kind = line[0]
		}
		switch kind {
		case '$', '*':
			n, err := atoi(line[1:])
			if err != nil || n > maxBulk {
				return 0, 0, fmt.Errorf("%w: %.20q", errProtocol, line)
			}
			if kind == '*' {
				s.missing += max(n, 0)
			} else if n >= 0 {
				after += n + len("\r\n")
			}
		case '+', '-', ':':
		default:
			return 0, 0, fmt.Errorf("%w: %.20q", errProtocol, line)
		}
		if after > len(b) {
			return 0, after - len(b), nil
		}
		s.at = after
		s.missing--
	}
	return s.at, 0, nil
}
