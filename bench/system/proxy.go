package system

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
)

// Proxy is what stands in front of services without a queue.
var Proxy = System{
	Name:    "proxy",
	Setting: "httputil.ReverseProxy to a backend of net/http, with as many idle connections kept as there are clients, and a BufferPool",
	Lacks:   "durability, retries: a request whose backend dies is lost",
	Without: "durability, retries",
	Needs:   Nothing,
	Open:    func(context.Context, Env) (io.Closer, error) { return proxy{}, nil },
}

type proxy struct{}

func (proxy) Close() error { return nil }

func (proxy) Web(context.Context) (string, func() error, error) {
	backend, stopBackend, err := serveHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}))
	if err != nil {
		return "", nil, err
	}
	transport := &http.Transport{MaxIdleConns: 2000, MaxIdleConnsPerHost: 2000}
	addr, stopProxy, err := serveHTTP(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: backend}) },
		Transport: transport, BufferPool: &buffers{},
	})
	if err != nil {
		return "", nil, errors.Join(err, stopBackend())
	}
	return addr, func() error {
		err := stopProxy()
		transport.CloseIdleConnections()
		return errors.Join(err, stopBackend())
	}, nil
}

// buffers implement [httputil.BufferPool]: without one there is a new buffer of 32 KB
// for each response.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if buf, ok := b.pool.Get().(*[32 << 10]byte); ok {
		return buf[:]
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(buf []byte) { b.pool.Put((*[32 << 10]byte)(buf)) }
