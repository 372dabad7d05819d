package testkit

import (
	"context"
	"net"
	"sync"
	"testing"
)

// Proxy stands between clients and their servers, to do to the connections what
// networks do.
type Proxy struct {
	listener net.Listener
	wg       sync.WaitGroup

	mu      sync.Mutex
	thawed  *sync.Cond
	frozen  bool // nothing passes, in no direction
	muted   bool // no reply passes
	lose    int  // so many replies
	closed  bool
	servers map[string]string // by the address of the connection's other end
	conns   []net.Conn
}

// NewProxy starts a proxy that is closed when the test ends, with its connections.
func NewProxy(t testing.TB) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, servers: map[string]string{}}
	p.thawed = sync.NewCond(&p.mu)
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.Freeze(false)
		p.Mute(false)
		p.Cut()
		p.wg.Wait()
	})
	return p
}

// Dial is for a client whose connections shall go through the proxy, whatever their
// servers are.
func (p *Proxy) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	conn, err := new(net.Dialer).DialContext(ctx, network, p.listener.Addr().String())
	if err == nil {
		p.servers[conn.LocalAddr().String()] = addr
	}
	return conn, err
}

// Freeze makes the connections look as after a network partition, until it ends.
func (p *Proxy) Freeze(on bool) {
	p.mu.Lock()
	p.frozen = on
	p.thawed.Broadcast()
	p.mu.Unlock()
}

// Mute keeps back what servers say, until it ends.
func (p *Proxy) Mute(on bool) {
	p.mu.Lock()
	p.muted = on
	p.thawed.Broadcast()
	p.mu.Unlock()
}

// Lose closes the connections of the next n replies instead of passing them on.
func (p *Proxy) Lose(n int) {
	p.mu.Lock()
	p.lose = n
	p.mu.Unlock()
}

// Losing reports whether a reply is still to be lost.
func (p *Proxy) Losing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lose > 0
}

// Cut closes all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		addr := p.servers[client.RemoteAddr().String()] // none if the dial was given up
		p.mu.Unlock()
		server, err := net.Dial("tcp", addr)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		closed := p.closed
		p.mu.Unlock()
		if closed {
			p.Cut()
			return
		}
		p.wg.Go(func() { p.pass(server, client, false) })
		p.wg.Go(func() { p.pass(client, server, true) })
	}
}

func (p *Proxy) pass(to, from net.Conn, replies bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil || !p.passes(replies) {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// passes waits until what has come may go on, and reports whether it is not lost.
func (p *Proxy) passes(reply bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.frozen || reply && p.muted {
		p.thawed.Wait()
	}
	if reply && p.lose > 0 {
		p.lose--
		return false
	}
	return true
}
