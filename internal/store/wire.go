package store

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// wire is a connection that this package writes to and reads from by itself, because
// go-redis copies a raw reply piece by piece. Dialing, TLS, AUTH, SELECT and what else
// makes a connection stay with go-redis. It is not safe for concurrent use.
type wire struct {
	opts redis.Options
	rdb  *redis.Client // of the connection
	held *redis.Conn
	conn net.Conn // nil before the first call, and after one that failed
	out  []byte
	rest []byte // what was read beyond the last reply

	since time.Time
}

// call sends the commands together and reads their replies: into reply the last
// one's, which may be an error. Those before it are for their effects.
func (w *wire) call(ctx context.Context, reply *rawReply, cmds ...[]any) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if w.expired(time.Now()) {
		_ = w.close()
	}
	if w.conn == nil {
		if err := w.connect(ctx); err != nil {
			return err
		}
	}
	err := w.exchange(reply, cmds)
	if err != nil {
		_ = w.close() // nobody knows what is still to come
	}
	return err
}

func (w *wire) exchange(reply *rawReply, cmds [][]any) error {
	for _, args := range cmds {
		if err := w.add(args); err != nil {
			return err
		}
	}
	if err := w.bound(time.Now()); err != nil {
		return err
	}
	if err := w.flush(); err != nil {
		return err
	}
	for range cmds[1:] {
		var before rawReply
		if err := w.read(&before); err != nil {
			return err
		}
	}
	return w.read(reply)
}

// add adds a command to those that flush sends.
func (w *wire) add(args []any) (err error) {
	w.out, err = appendCommand(w.out, args)
	if err != nil {
		w.out = nil
	}
	return err
}

func (w *wire) flush() error {
	_, err := w.conn.Write(w.out)
	if w.out = w.out[:0]; cap(w.out) > keptBuffer {
		w.out = nil
	}
	return err
}

// keptBuffer is the size up to which a buffer is kept for further use.
const keptBuffer = 64 << 10

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
	opts.Protocol = 2 // so that nothing comes unasked for
	opts.PoolSize = 1
	opts.PipelinePoolSize = -1
	opts.MinIdleConns = 0
	w.rdb = redis.NewClient(&opts)
	w.held = w.rdb.EphemeralConn()
	// Any command does, and one that the user must not use does as well.
	if err := w.held.Echo(ctx, "").Err(); err != nil && !redis.HasErrorPrefix(err, "NOPERM") {
		_ = w.close()
		return err
	}
	w.conn, w.since = *made.Load(), time.Now()
	return nil
}

func (w *wire) close() error {
	w.conn, w.out, w.rest = nil, nil, nil
	if w.rdb == nil {
		return nil
	}
	_ = w.held.Close()
	err := w.rdb.Close()
	w.rdb, w.held = nil, nil
	return err
}

// maxBulk is the largest string there is in Redis, by default.
const maxBulk = 512 << 20

// minRead is the room there is for a read.
const minRead = 4 << 10

// read appends one reply to that, of any kind. The connection reads straight into its
// memory.
func (w *wire) read(to *rawReply) error {
	to.b = append(to.b, w.rest...)
	w.rest = w.rest[:0]
	s := scan{missing: 1}
	for {
		end, more, err := s.next(to.b)
		if err != nil {
			return err
		}
		if more == 0 {
			w.rest = append(w.rest, to.b[end:]...)
			to.b = to.b[:end]
			return nil
		}
		if cap(to.b)-len(to.b) < more {
			to.b = slices.Grow(to.b, max(more, minRead))
		}
		n, err := w.conn.Read(to.b[len(to.b):cap(to.b)])
		to.b = to.b[:len(to.b)+n]
		if err != nil && n == 0 {
			return err
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

// appendCommand appends a command as the protocol has it.
func appendCommand(b []byte, args []any) ([]byte, error) {
	b = append(b, '*')
	b = strconv.AppendInt(b, int64(len(args)), 10)
	b = append(b, "\r\n"...)
	for _, arg := range args {
		switch v := arg.(type) {
		case string:
			b = appendBulk(b, v)
		case []byte:
			b = appendBulk(b, v)
		case int:
			b = appendNumber(b, int64(v))
		case int64:
			b = appendNumber(b, v)
		default:
			return b, fmt.Errorf("%w: %T as an argument", errProtocol, arg)
		}
	}
	return b, nil
}

func appendBulk[T string | []byte](b []byte, v T) []byte {
	b = append(b, '$')
	b = strconv.AppendInt(b, int64(len(v)), 10)
	b = append(b, "\r\n"...)
	b = append(b, v...)
	return append(b, "\r\n"...)
}

func appendNumber(b []byte, n int64) []byte {
	var digits [20]byte
	return appendBulk(b, strconv.AppendInt(digits[:0], n, 10))
}
