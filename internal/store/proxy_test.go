package store_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

// proxy stands between a store and its servers, to lose replies.
type proxy struct {
	listener net.Listener
	lose     atomic.Bool // cut a connection instead of passing on a reply
	wg       sync.WaitGroup

	mu      sync.Mutex
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
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		for _, c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

// open opens a store whose connections go through the proxy, whatever their servers
// are.
func (p *proxy) open(t *testing.T, url string) *store.Store {
	t.Helper()
	s, err := store.New(redistest.ClientBy(t, url, p.dial), "leanmq")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Ping(t.Context()); err != nil { // or the first command would only shake hands
		t.Fatal(err)
	}
	return s
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
		p.mu.Unlock()
		p.wg.Go(func() { p.pass(server, client, false) })
		p.wg.Go(func() { p.pass(client, server, true) })
	}
}

func (p *proxy) pass(to, from net.Conn, replies bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil || replies && p.lose.Load() {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
