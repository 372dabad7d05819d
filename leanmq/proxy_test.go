package leanmq_test

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// proxy stands between a client and its servers, to freeze the connections or to cut
// them.
type proxy struct {
	listener net.Listener
	wg       sync.WaitGroup

	mu      sync.Mutex
	thawed  *sync.Cond
	frozen  bool // nothing passes, in no direction
	muted   bool // no reply passes
	closed  bool
	servers map[string]string // by the address of the connection's other end
	conns   []net.Conn
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, servers: map[string]string{}}
	p.thawed = sync.NewCond(&p.mu)
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.freeze(false)
		p.mute(false)
		p.cut()
		p.wg.Wait()
	})
	return p
}

// freeze makes the connections look as after a network partition, until it ends.
func (p *proxy) freeze(on bool) {
	p.mu.Lock()
	p.frozen = on
	p.thawed.Broadcast()
	p.mu.Unlock()
}

// mute keeps back what servers say, until it ends.
func (p *proxy) mute(on bool) {
	p.mu.Lock()
	p.muted = on
	p.thawed.Broadcast()
	p.mu.Unlock()
}

// cut closes all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

// open opens a client whose connections go through the proxy, whatever their servers
// are.
func (p *proxy) open(t *testing.T, url string) *leanmq.Client {
	t.Helper()
	mq, err := leanmq.New(t.Context(), redistest.ClientBy(t, url, p.dial))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := mq.Close(); err != nil {
			t.Error(err)
		}
	})
	return mq
}

func (p *proxy) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	conn, err := new(net.Dialer).DialContext(ctx, network, p.listener.Addr().String())
	if err == nil {
		p.servers[conn.LocalAddr().String()] = addr
	}
	return conn, err
}

func (p *proxy) accept() {
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
			p.cut()
			return
		}
		p.wg.Go(func() { p.pass(server, client, &p.frozen) })
		p.wg.Go(func() { p.pass(client, server, &p.frozen, &p.muted) })
	}
}

// pass hands on what comes, while none of these is set.
func (p *proxy) pass(to, from net.Conn, held ...*bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		for slices.ContainsFunc(held, func(on *bool) bool { return *on }) {
			p.thawed.Wait()
		}
		p.mu.Unlock()
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
