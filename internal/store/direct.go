package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// direct lets a caller run its commands by itself, on a connection of its own, where
// nobody else has any: that spares the way to another goroutine and back, which costs
// as much as the command does. Its methods are safe for concurrent use.
type direct struct {
	mu    sync.Mutex
	w     wire
	taken bool   // by a caller, or by who connects
	turn  uint64 // counts callers
}

func newDirect(opts redis.Options) *direct { return &direct{w: wire{opts: opts}} }

// fit reports whether a caller may run the commands by itself.
func fit(cmds []redis.Cmder) bool {
	if len(cmds) > maxBatch {
		return false
	}
	for _, cmd := range cmds {
		switch cmd.(type) {
		case *redis.StringCmd, *redis.Cmd:
		default:
			return false
		}
	}
	return true
}

// take takes the connection for who calls run next. If there is none, or none that
// lives, somebody has to connect first, which takes too long for a caller to wait for.
func (d *direct) take() (turn uint64, ok, connect bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.taken {
		return 0, false, false
	}
	d.taken = true
	d.turn++
	live := d.w.live(time.Now())
	return d.turn, live, !live
}

// connect makes the connection that take did not find, and gives it back.
func (d *direct) connect() {
	d.close()
	_ = d.w.connect(context.Background()) // or the next one tries again
	d.give()
}

func (d *direct) give() {
	d.mu.Lock()
	d.taken = false
	d.turn++ // whose context ends now is too late
	d.mu.Unlock()
}

// run runs the commands of who has taken the connection. Each has its own error, as
// after a pipeline.
func (d *direct) run(ctx context.Context, turn uint64, cmds []redis.Cmder) {
	defer d.give()
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() { d.end(turn) })
		defer stop()
	}
	read, err := d.exchange(cmds)
	if err == nil {
		return
	}
	for _, cmd := range cmds[read:] {
		cmd.SetErr(err)
	}
	d.close()
}

// exchange returns how many replies it has read.
func (d *direct) exchange(cmds []redis.Cmder) (read int, err error) {
	for _, cmd := range cmds {
		if err := d.w.add(cmd.Args()); err != nil {
			return 0, err
		}
	}
	if err := d.w.flush(); err != nil {
		return 0, err
	}
	for i, cmd := range cmds {
		reply, err := d.w.next()
		if err != nil {
			return i, err
		}
		setResult(cmd, reply)
	}
	return len(cmds), nil
}

// end has a caller give up: its connection fails at once.
func (d *direct) end(turn uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.turn == turn && d.w.conn != nil {
		_ = d.w.conn.SetDeadline(past)
	}
}

var past = time.Unix(1, 0)

// close closes the connection, if there is one.
func (d *direct) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.w.close()
}

// setResult gives a command its reply.
func setResult(cmd redis.Cmder, reply []byte) {
	v, err := (&resp{b: reply}).value()
	switch cmd := cmd.(type) {
	case *redis.Cmd:
		cmd.SetVal(v)
	case *redis.StringCmd:
		s, ok := v.(string)
		if !ok && err == nil {
			err = fmt.Errorf("%w: %T where a string was due", errProtocol, v)
		}
		cmd.SetVal(s)
	}
	if err != nil {
		cmd.SetErr(err)
	}
}
