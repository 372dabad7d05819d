//go:build !unix

package store

import "net"

// closedByPeer would report whether the server has closed a connection.
func closedByPeer(net.Conn) bool { return false }
