package store

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/testkit"
)

// answering is a server that answers each command as answer says; a connection ends
// where that is "".
func answering(t *testing.T, answer func(conn int, command string) string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for n := 1; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				for w := (&wire{conn: conn}); ; {
					raw, err := w.next()
					if err != nil {
						return
					}
					v, _ := (&resp{b: raw}).value()
					var words []string
					for _, word := range v.([]any) {
						words = append(words, word.(string))
					}
					reply := answer(n, strings.Join(words, " "))
					if _, err := conn.Write([]byte(reply)); err != nil || reply == "" {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// lone is a pipe whose direct connection is there.
func lone(t *testing.T, addr string) *pipe {
	t.Helper()
	opts := redis.Options{Addr: addr, Protocol: 2, DisableIdentity: true, MaxRetries: -1, ReadTimeout: commandTimeout}
	rdb := redis.NewClient(&opts)
	p := newPipe(rdb, opts)
	t.Cleanup(func() {
		p.close()
		_ = rdb.Close()
	})
	p.connected(t)
	return p
}

func (p *pipe) connected(t *testing.T) {
	t.Helper()
	testkit.Eventually(t, "a direct connection", func() bool {
		d, _, dead := p.directs.take()
		switch {
		case d != nil:
			d.give()
		case dead != nil:
			go dead.connect()
		}
		return d != nil
	})
}

func answerBasics(command string) string {
	switch name, _, _ := strings.Cut(command, " "); strings.ToLower(name) {
	case "echo":
		return "$0\r\n\r\n"
	case "hello":
		return "-ERR unknown command\r\n"
	}
	return "+OK\r\n"
}

// A server that has become a replica is left: the address may be that of the new
// master by now.
func TestReadOnlyServerIsLeft(t *testing.T) {
	addr := answering(t, func(conn int, command string) string {
		if !strings.HasPrefix(command, "XADD") {
			return answerBasics(command)
		}
		if conn == 1 {
			return "-READONLY You can't write against a read only replica.\r\n"
		}
		return "$3\r\n1-1\r\n"
	})
	p := lone(t, addr)
	xadd := func() error {
		cmd := redis.NewStringCmd(t.Context(), "XADD", "s", "*", "p", "x")
		if err := p.do(t.Context(), cmd); err != nil {
			t.Fatal(err)
		}
		return cmd.Err()
	}
	if err := xadd(); !redis.HasErrorPrefix(err, "READONLY") {
		t.Fatal(err)
	}
	p.connected(t)
	if err := xadd(); err != nil {
		t.Error(err)
	}
}

// Whoever gives up returns at once, and the outcome is unknown; who comes next is not
// affected.
func TestCallerWhoIsAloneGivesUp(t *testing.T) {
	var silent atomic.Bool
	asked := make(chan struct{}, 1)
	addr := answering(t, func(_ int, command string) string {
		switch {
		case !strings.HasPrefix(command, "XADD"):
			return answerBasics(command)
		case silent.Load():
			asked <- struct{}{}
			<-t.Context().Done()
			return ""
		}
		return "$3\r\n1-1\r\n"
	})
	p := lone(t, addr)
	silent.Store(true)
	reason := errors.New("changed my mind")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-asked
		cancel(reason)
	}()
	err := p.do(ctx, redis.NewStringCmd(ctx, "XADD", "s", "*", "p", "x"))
	if !errors.Is(err, ErrUnknown) || !errors.Is(err, reason) {
		t.Errorf("%v, want ErrUnknown because of %v", err, reason)
	}
	silent.Store(false)
	for range 20 {
		cmd := redis.NewStringCmd(t.Context(), "XADD", "s", "*", "p", "x")
		if err := p.do(t.Context(), cmd); err != nil || cmd.Val() != "1-1" {
			t.Fatal(err, cmd)
		}
	}
}

// A connection that the server has closed meanwhile is not written to: what is sent on
// it would have an unknown outcome.
func TestClosedConnectionIsNoticed(t *testing.T) {
	closed := make(chan struct{}, 10)
	addr := answering(t, func(_ int, command string) string {
		switch {
		case strings.HasPrefix(command, "QUIT"):
			closed <- struct{}{}
			return ""
		case strings.HasPrefix(command, "XADD"):
			return "$3\r\n1-1\r\n"
		}
		return answerBasics(command)
	})
	p := lone(t, addr)
	quit := redis.NewStringCmd(t.Context(), "QUIT")
	if err := p.do(t.Context(), quit); err != nil || quit.Err() == nil {
		t.Fatal(err, quit)
	}
	<-closed
	for range 20 {
		cmd := redis.NewStringCmd(t.Context(), "XADD", "s", "*", "p", "x")
		if err := p.do(t.Context(), cmd); err != nil || cmd.Err() != nil {
			t.Fatal(err, cmd.Err())
		}
	}
}
