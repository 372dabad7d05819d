package store

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// direct runs commands on a connection of its own, without go-redis, which allocates
// and copies more. A caller who is alone uses it by itself: that spares the way to
// another goroutine and back, which costs as much as the command does. Its methods are
// safe for concurrent use.
type direct struct {
	mu         sync.Mutex
	w          wire
	taken      bool
	connecting bool   // by who has taken it
	turn       uint64 // counts who has
}

// directs are as many as there may be flushes.
type directs [maxFlushes]direct

// take takes one that is free, for who calls run next. The first ones are preferred, so
// that who has little to do has few connections. If there is one that does not live it
// has to be connected first, which takes too long for a caller to wait for.
func (ds *directs) take() (d *direct, turn uint64, connect *direct) {
	for i := range ds {
		d = &ds[i]
		switch turn, state := d.take(); state {
		case taken:
			return d, turn, nil
		case toConnect:
			return nil, 0, d
		case connecting:
			return nil, 0, nil
		case busy:
		}
	}
	return nil, 0, nil
}

// What take finds.
const (
	taken      = iota
	toConnect  // taken as well, for connect
	connecting // somebody does
	busy
)

func (ds *directs) close() {
	for i := range ds {
		ds[i].close()
	}
}

// fit reports whether the replies of all commands can be read.
func fit(cmds []redis.Cmder) bool {
	for _, cmd := range cmds {
		switch cmd.(type) {
		case *addition, *redis.StringCmd, *redis.Cmd:
		default:
			return false
		}
	}
	return true
}

// take takes the connection, if nobody has.
func (d *direct) take() (turn uint64, state int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.connecting:
		return 0, connecting
	case d.taken:
		return 0, busy
	}
	d.taken = true
	d.turn++
	if !d.w.live(time.Now()) {
		d.connecting = true
		return d.turn, toConnect
	}
	return d.turn, taken
}

// connect makes the connection that take did not find, and gives it back.
func (d *direct) connect() {
	d.close()
	_ = d.w.connect(context.Background()) // or the next one tries again
	d.give()
}

func (d *direct) give() {
	d.mu.Lock()
	d.taken, d.connecting = false, false
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
	for _, cmd := range cmds[read:] {
		cmd.SetErr(err)
	}
	if err != nil || slices.ContainsFunc(cmds, func(cmd redis.Cmder) bool { return isReadOnly(cmd.Err()) }) {
		d.close()
	}
}

// exchange returns how many replies it has read.
func (d *direct) exchange(cmds []redis.Cmder) (read int, err error) {
	for _, cmd := range cmds {
		if a, ok := cmd.(*addition); ok {
			err = d.w.addition(a)
		} else {
			err = d.w.add(cmd.Args())
		}
		if err != nil {
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
	var err error
	switch cmd := cmd.(type) {
	case *redis.Cmd:
		var v any
		v, err = (&resp{b: reply}).value()
		cmd.SetVal(v)
	case *addition:
		var id []byte
		if id, err = (&resp{b: reply}).bulk(); err == nil && id == nil {
			err = redis.Nil
		} else if !cmd.mute {
			cmd.SetVal(string(id))
		}
	case *redis.StringCmd:
		var s []byte
		if s, err = (&resp{b: reply}).bulk(); err == nil && s == nil {
			err = redis.Nil
		}
		cmd.SetVal(string(s))
	}
	if err != nil {
		cmd.SetErr(err)
	}
}
