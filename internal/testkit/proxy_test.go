package testkit

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// echo is a server that says what it is told.
func echo(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return l.Addr().String()
}

func dial(t *testing.T, p *Proxy, addr string) net.Conn {
	t.Helper()
	conn, err := p.Dial(t.Context(), "tcp", addr)
	return Opened(t, conn, err)
}

// say says a line and returns what comes back within a limit.
func say(t *testing.T, conn net.Conn, text string, limit time.Duration) (string, error) {
	t.Helper()
	if _, err := fmt.Fprintln(conn, text); err != nil {
		return "", err
	}
	return hear(conn, limit)
}

func hear(conn net.Conn, limit time.Duration) (string, error) {
	_ = conn.SetReadDeadline(time.Now().Add(limit))
	return bufio.NewReader(conn).ReadString('\n')
}

func TestProxyPassesOnWhatItDoesNotHold(t *testing.T) {
	p := NewProxy(t)
	conn := dial(t, p, echo(t))
	if got, err := say(t, conn, "a", Patience); got != "a\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for name, hold := range map[string]func(bool){"frozen": p.Freeze, "muted": p.Mute} {
		hold(true)
		if got, err := say(t, conn, name, 20*time.Millisecond); err == nil {
			t.Errorf("%s: %q", name, got)
		}
		hold(false)
		if got, err := hear(conn, Patience); got != name+"\n" || err != nil {
			t.Errorf("no longer %s: %q, %v", name, got, err)
		}
	}
}

func TestProxyLosesRepliesAndConnections(t *testing.T) {
	p := NewProxy(t)
	addr := echo(t)
	p.Lose(1)
	if got, err := say(t, dial(t, p, addr), "a", Patience); err == nil || p.Losing() {
		t.Errorf("lost: %q", got)
	}
	conn := dial(t, p, addr)
	if got, err := say(t, conn, "b", Patience); got != "b\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	p.Cut()
	if got, err := hear(conn, Patience); err == nil {
		t.Errorf("cut: %q", got)
	}
}
