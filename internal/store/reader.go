package store

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// maxBlock is how long a read blocks at most. Cancelling a context does not
	// end a blocked read, and on a half-open connection nothing does; so it is
	// bounded, and the connection's read time-out is a little longer.
	maxBlock = 2 * time.Second
	// shortBlock is the bound where Interrupt cannot work, because the server
	// does not know CLIENT UNBLOCK (miniredis) or does not allow it.
	shortBlock = 20 * time.Millisecond
)

// Reader is one connection for blocking reads. Read must not be called
// concurrently; Interrupt may be called at any time.
type Reader struct {
	s    *Store
	rdb  *redis.Client
	id   atomic.Int64 // CLIENT ID of the connection; 0 = not known
	buf  []any
	busy atomic.Bool // a read that may block is under way
	size int         // of the largest recent reply
}

// rawReply is where a reply is read to. Messages go on using its memory, so that
// each read has one of its own; it begins as large as recent ones were, because
// growing costs more copies than reading.
type rawReply struct{ b []byte }

func (r *Reader) newReply() *rawReply { return &rawReply{make([]byte, 0, r.size+64)} }

func (r *Reader) got(reply *rawReply) { r.size = max(len(reply.b), r.size-r.size/4) }

func (w *rawReply) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

// ReadFrom takes what io.CopyN wants to copy without a buffer in between.
func (w *rawReply) ReadFrom(src io.Reader) (int64, error) {
	limited, ok := src.(*io.LimitedReader)
	if !ok {
		return 0, fmt.Errorf("%w: %T to copy from", errProtocol, src)
	}
	at, n := len(w.b), int(limited.N)
	w.b = slices.Grow(w.b, n)[:at+n]
	got, err := io.ReadFull(limited.R, w.b[at:])
	limited.N -= int64(got)
	w.b = w.b[:at+got]
	return int64(got), err
}

// NewReader makes a reader. It connects at its first read.
func (s *Store) NewReader() *Reader {
	r := &Reader{s: s}
	opts := s.opts
	opts.PoolSize = 1
	opts.PipelinePoolSize = -1 // or pipelines get a connection of their own
	opts.MinIdleConns = 0
	opts.ReadTimeout = maxBlock + commandTimeout
	before := opts.OnConnect
	opts.OnConnect = func(ctx context.Context, cn *redis.Conn) error {
		if before != nil {
			if err := before(ctx, cn); err != nil {
				return err
			}
		}
		r.id.Store(0)
		if id, err := cn.ClientID(ctx).Result(); err == nil {
			r.id.Store(id)
		}
		return nil
	}
	r.rdb = redis.NewClient(&opts)
	return r
}

// Close closes the connection.
func (r *Reader) Close() error { return r.rdb.Close() }

// block bounds a read's blocking time.
func (r *Reader) block(d time.Duration) time.Duration {
	if r.id.Load() == 0 {
		return min(d, shortBlock)
	}
	return min(d, maxBlock)
}

// Read reads up to count new messages of each queue for consumer, waiting up
// to wait for the first one (0: not at all; it may return early with nothing).
// Messages are appended to out, which is keyed by the queue's position.
func (r *Reader) Read(ctx context.Context, consumer string, queues []*Queue, count int, wait time.Duration, each func(q int, e Entry)) error {
	args := append(r.buf[:0], "XREADGROUP", "GROUP", group, consumer, "COUNT", count)
	if wait > 0 {
		args = append(args, "BLOCK", max(r.block(wait).Milliseconds(), 1))
		r.busy.Store(true)
		defer r.busy.Store(false)
	}
	args = append(args, "STREAMS")
	for _, q := range queues {
		args = append(args, q.stream)
	}
	for range queues {
		args = append(args, ">")
	}
	r.buf = args
	reply := r.newReply()
	if err := r.rdb.Process(ctx, redis.NewRawWriteToCmd(ctx, reply, args...)); err != nil {
		return classify(err)
	}
	r.got(reply)
	at := 0
	parse := resp{b: reply.b}
	return classify(parse.streams(func(key, id []byte, fields [][]byte) error {
		for i := range queues { // replies come in the order asked for
			if queues[(at+i)%len(queues)].Stream == string(key) {
				at = (at + i) % len(queues)
				break
			}
		}
		e := newEntry(string(id), fields)
		e.Deliveries = 1
		each(at, e)
		return nil
	}))
}

// Interrupt makes a blocked Read return. It reports whether there was one.
func (r *Reader) Interrupt(ctx context.Context) bool {
	id := r.id.Load()
	if id == 0 || !r.busy.Load() {
		return false
	}
	n, err := r.s.count(ctx, "CLIENT", "UNBLOCK", id)
	return err == nil && n > 0
}
