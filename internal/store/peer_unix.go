//go:build unix

package store

import (
	"errors"
	"net"
	"syscall"
)

// closedByPeer reports whether a connection that nothing is expected from has come to
// its end, so that nothing may be sent on it any more: what is sent then would have an
// unknown outcome.
func closedByPeer(conn net.Conn) bool {
	over := false
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok { // of TLS, which may have something to say
		conn = c.NetConn()
	}
	c, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case err == nil:
			over = n == 0
		case !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR):
			over = true
		}
		return true
	})
	return err != nil || over
}
