package scenario

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/leanmq/leanmq/bench/measure"
	"github.com/leanmq/leanmq/bench/system"
)

// https: POST /echo over so many connections, with gateway, service and clients in
// one process.
func https() []*Scenario {
	var all []*Scenario
	for _, connections := range []int{16, 100, 1000} {
		atLeast := 1.5
		if connections == 16 {
			atLeast = 0.95
		}
		all = append(all, variants(Scenario{
			Name:    fmt.Sprint("http/", connections),
			Title:   "HTTP through the gateway",
			About:   fmt.Sprintf("POST over %d connections to a service behind the gateway, or behind a reverse proxy", connections),
			Row:     fmt.Sprintf("HTTP, %d connections", connections),
			Systems: []system.System{system.LeanMQ, system.Proxy},
			Main:    measure.Rate,
			Goals:   []Goal{{Metric: measure.Rate, Versus: "proxy", AtLeast: atLeast}},
			Run:     func(ctx context.Context, r *Run) ([]measure.Measure, error) { return http(ctx, r, connections) },
		}, false, false)...)
	}
	return all
}

func http(ctx context.Context, r *Run, connections int) (ms []measure.Measure, err error) {
	addr, stop, err := r.Open.(system.Web).Web(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	clients := make([]*client, connections)
	for i := range clients {
		if clients[i], err = dial(addr, r.Payload); err != nil {
			return nil, err
		}
		defer clients[i].close()
	}
	post := func(i int) error { return clients[i].post() }
	if _, err := (measure.Load{Callers: connections, For: r.Scale.Time / 4}).Run(post); err != nil {
		return nil, err
	}
	span, err := measure.Begin(r.Env.Redis)
	if err != nil {
		return nil, err
	}
	calls, err := measure.Load{Callers: connections, For: r.Scale.Time}.Run(post)
	if err != nil {
		return nil, err
	}
	costs, err := span.End(len(calls.Took))
	return slices.Concat([]measure.Measure{calls.Rate("req/s")}, measure.Latencies(calls.Took), costs), err
}

// client is an HTTP client that costs little: one connection, always the same
// request, and an answer that is read by its known parts.
type client struct {
	conn               net.Conn
	request, body, buf []byte
}

func dial(addr string, body []byte) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	head := fmt.Sprintf("POST /echo HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n", len(body))
	return &client{conn: conn, request: append([]byte(head), body...), body: body, buf: make([]byte, len(body)+4096)}, nil
}

func (c *client) close() { _ = c.conn.Close() }

// post sends the request and reads up to the end of the echoed body.
func (c *client) post() error {
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	for n := 0; ; {
		m, err := c.conn.Read(c.buf[n:])
		if err != nil {
			return err
		}
		n += m
		if n > 12 && string(c.buf[9:12]) != "200" {
			return fmt.Errorf("answered: %s", c.buf[:n])
		}
		if bytes.HasSuffix(c.buf[:n], c.body) {
			return nil
		}
	}
}
