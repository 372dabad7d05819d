package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/gateway"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/webhook"
)

var benchBody = strings.Repeat("x", 256)

// BenchmarkHTTP compares this gateway with a plain reverse proxy: the same
// client, connections and 256-byte bodies, the service in the same process.
func BenchmarkHTTP(b *testing.B) {
	for _, connections := range []int{16, 100} {
		b.Run(fmt.Sprintf("gateway/%d", connections), func(b *testing.B) {
			benchHTTP(b, connections, benchGateway(b))
		})
		b.Run(fmt.Sprintf("proxy/%d", connections), func(b *testing.B) {
			benchHTTP(b, connections, benchProxy(b))
		})
	}
}

// benchGateway serves POST /echo through the queue.
func benchGateway(b *testing.B) string {
	mq, err := leanmq.Open(b.Context(), redistest.Server(b).URL())
	if err != nil {
		b.Fatal(err)
	}
	svc := webhook.NewService("bench", mq, webhook.ConsumeWith(leanmq.Concurrency(64)))
	svc.Handle("POST /echo", func(_ context.Context, r *webhook.Request) (*webhook.Response, error) {
		return &webhook.Response{Body: r.Body}, nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := svc.Run(ctx); err != nil {
			b.Error(err)
		}
	})
	<-svc.Ready()
	gw := gateway.New(mq)
	srv := httptest.NewServer(gw)
	b.Cleanup(func() {
		srv.Close()
		_ = gw.Close()
		cancel()
		wg.Wait()
		_ = mq.Close()
	})
	return srv.URL
}

// benchProxy serves the same through httputil.ReverseProxy to a backend of
// net/http, with as many idle connections kept as there are clients.
func benchProxy(b *testing.B) string {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}))
	to, err := url.Parse(backend.URL)
	if err != nil {
		b.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConns: 1000, MaxIdleConnsPerHost: 1000}
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport: transport,
	})
	b.Cleanup(func() {
		proxy.Close()
		transport.CloseIdleConnections()
		backend.Close()
	})
	return proxy.URL
}

// benchHTTP is a load generator that costs little: raw connections, a fixed
// request, and a response read by its known parts.
func benchHTTP(b *testing.B, connections int, base string) {
	address := strings.TrimPrefix(base, "http://")
	request := fmt.Appendf(nil, "POST /echo HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n%s", len(benchBody), benchBody)
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			c, err := net.DialTimeout("tcp", address, 5*time.Second)
			if err != nil {
				b.Error(err)
				return
			}
			defer func() { _ = c.Close() }()
			buf := make([]byte, 4096)
			for left.Add(-1) >= 0 {
				if err := exchange(c, request, buf); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}

// exchange sends the request and reads up to the end of the echoed body.
func exchange(c net.Conn, request, buf []byte) error {
	if _, err := c.Write(request); err != nil {
		return err
	}
	n := 0
	for {
		m, err := c.Read(buf[n:])
		if err != nil {
			return err
		}
		n += m
		if n > 12 && string(buf[9:12]) != "200" {
			return fmt.Errorf("answered: %s", buf[:n])
		}
		if strings.HasSuffix(string(buf[:n]), benchBody) {
			return nil
		}
	}
}
