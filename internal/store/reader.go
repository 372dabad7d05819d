package store

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// maxBlock is how long a read blocks at most. Canceling a context does not
	// end a blocked read, and on a half-open connection nothing does; so it is
	// bounded, and the connection's read time-out is a little longer.
	maxBlock = 2 * time.Second
	// shortBlock is the bound where Interrupt cannot work, because the server
	// does not know CLIENT UNBLOCK (miniredis) or does not allow it.
	shortBlock = 20 * time.Millisecond
)

// Reader is one connection for blocking reads: on a cluster, to the master of the
// key that is read, whichever that is. Read must not be called concurrently;
// Interrupt may be called at any time.
type Reader struct {
	s    *Store
	line atomic.Pointer[line] // nil before the first read of a cluster
	buf  []any
	busy atomic.Bool // a read that may block is under way

	queues []*Queue // of the last Read
	names  []string // of their streams
	args   []any    // with these
}

// line is a connection to one server.
type line struct {
	wire
	id   atomic.Int64 // CLIENT ID of the connection; 0 = it cannot be unblocked
	pipe sender       // reaches the same server
	node *node        // of a cluster
}

// NewReader makes a reader. It connects at its first read.
func (s *Store) NewReader() *Reader {
	r := &Reader{s: s}
	if s.cluster == nil {
		r.line.Store(s.newLine(s.opts, s.pipe))
	}
	return r
}

func (s *Store) newLine(opts redis.Options, pipe sender) *line {
	l := &line{pipe: pipe}
	opts.ReadTimeout = maxBlock + commandTimeout
	before := opts.OnConnect
	opts.OnConnect = func(ctx context.Context, cn *redis.Conn) error {
		if before != nil {
			if err := before(ctx, cn); err != nil {
				return err
			}
		}
		l.id.Store(0)
		// Who may know the id need not be allowed to unblock it.
		if id, err := cn.ClientID(ctx).Result(); err == nil && cn.ClientUnblock(ctx, id).Err() == nil {
			l.id.Store(id)
		}
		return nil
	}
	l.opts = opts
	return l
}

// Close closes the connection. A read that is under way fails.
func (r *Reader) Close() error {
	if l := r.line.Load(); l != nil {
		return l.end()
	}
	return nil
}

// run runs commands that read the keys of one slot, of which key is one, in order.
// It returns the last one's reply, or nil without an error when nothing was read because
// the slot is moving: the next read goes where it is then.
func (r *Reader) run(ctx context.Context, key string, cmds ...[]any) ([]byte, error) {
	l := r.line.Load()
	if r.s.cluster == nil {
		return l.run(ctx, cmds)
	}
	n, err := r.s.cluster.at(ctx, Slot(key))
	if err != nil {
		return nil, err
	}
	if l == nil || l.node != n {
		if l != nil {
			_ = l.close() // nothing is under way
		}
		opts := r.s.opts
		opts.Addr = n.addr
		l = r.s.newLine(opts, n.pipe)
		l.node = n
		r.line.Store(l)
	}
	reply, err := l.run(ctx, cmds)
	if err != nil && r.s.cluster.moves(ctx, n, key, err) {
		err = nil
	}
	return reply, err
}

// run returns no reply together with an error.
func (l *line) run(ctx context.Context, cmds [][]any) ([]byte, error) {
	reply, err := l.call(ctx, cmds...)
	if err == nil {
		err = rawError(reply)
	}
	if err != nil {
		return nil, err
	}
	return reply, nil
}

// movePoll is how soon a reader looks again while its slot is on its way. Until it
// is there, its messages could not be settled either.
const movePoll = 10 * time.Millisecond

// moves reports whether a read of key failed at n because its slot is moving, or has
// moved.
func (c *cluster) moves(ctx context.Context, n *node, key string, err error) bool {
	if redis.HasErrorPrefix(err, "NOGROUP") || redis.HasErrorPrefix(err, "UNBLOCKED") {
		// The key may have gone away under the read. One that never exists is
		// looked for where it would be now.
		probe := redis.NewIntCmd(ctx, "EXISTS", guard(key))
		if n.pipe.do(ctx, probe) != nil || probe.Err() == nil {
			return false
		}
		err = probe.Err()
	}
	if addr, ok := redis.IsMovedError(err); ok {
		return c.moved(Slot(key), reachable(addr, n.addr)) != nil
	}
	if _, ask := redis.IsAskError(err); ask || redis.IsTryAgainError(err) {
		sleep(ctx, movePoll)
		return true
	}
	if isNetwork(err) {
		n.suspect.Store(true)
	}
	return false
}

// block bounds a read's blocking time.
func (r *Reader) block(d time.Duration) time.Duration {
	if l := r.line.Load(); l == nil || l.id.Load() == 0 {
		return min(d, shortBlock)
	}
	return min(d, maxBlock)
}

// Read reads up to count new messages of each queue for consumer, waiting up
// to wait for the first one (0: not at all; it may return early with nothing).
// On a cluster the queues have one hash tag. Messages go to each, with the position of
// their queue.
func (r *Reader) Read(ctx context.Context, consumer string, queues []*Queue, count int, wait time.Duration, each func(q int, e Entry)) error {
	r.name(queues)
	args := r.args
	if wait > 0 {
		copy(args[readHead-2:], []any{"BLOCK", max(r.block(wait).Milliseconds(), 1)})
		r.busy.Store(true)
		defer r.busy.Store(false)
	} else {
		args = args[2:] // the head is shorter
	}
	copy(args, []any{"XREADGROUP", "GROUP", group, consumer, "COUNT", count})
	reply, err := r.run(ctx, queues[0].Stream, args)
	if reply == nil {
		return classify(err)
	}
	at := 0
	parse := resp{b: reply}
	return classify(parse.streams(func(key, id []byte, fields [][]byte) error {
		for i := range queues { // replies come in the order asked for
			if r.names[(at+i)%len(queues)] == string(key) {
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

// readHead is how many arguments there are before STREAMS.
const readHead = 8

// name fills in the streams of a read: mostly those of the last one, and perhaps a
// thousand of them.
func (r *Reader) name(queues []*Queue) {
	if slices.Equal(queues, r.queues) {
		return
	}
	r.queues = append(r.queues[:0], queues...)
	r.names = r.names[:0]
	r.args = append(r.args[:0], make([]any, readHead)...)
	r.args = append(r.args, "STREAMS")
	for _, q := range queues {
		r.names = append(r.names, q.Stream)
		r.args = append(r.args, q.stream)
	}
	for range queues {
		r.args = append(r.args, ">")
	}
}

// Interrupt makes a blocked Read return. It reports whether there was one.
func (r *Reader) Interrupt(ctx context.Context) bool {
	l := r.line.Load()
	if l == nil || l.id.Load() == 0 || !r.busy.Load() {
		return false
	}
	cmd := redis.NewIntCmd(ctx, "CLIENT", "UNBLOCK", l.id.Load())
	return l.pipe.do(ctx, cmd) == nil && cmd.Val() > 0
}
