package system

import (
	"context"
	"errors"
	"io"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// Micro is the service framework of NATS.
var Micro = System{
	Name:    "micro",
	Module:  "github.com/nats-io/nats.go",
	Setting: "nats.go/micro: an endpoint that echoes; caller and service with a connection each; the server is in this process",
	Lacks:   "durability, retries, back pressure: a request whose service dies is lost",
	Without: "durability, retries",
	Needs:   NATS,
	Open: func(_ context.Context, env Env) (io.Closer, error) {
		nc, err := nats.Connect(env.NATS.URL)
		return &micros{env.NATS.URL, nc}, err
	},
}

type micros struct {
	url string
	nc  *nats.Conn // of the caller
}

func (m *micros) Close() error {
	m.nc.Close()
	return nil
}

func (m *micros) Serve(context.Context) (func() error, error) {
	nc, err := nats.Connect(m.url)
	if err != nil {
		return nil, err
	}
	svc, err := micro.AddService(nc, micro.Config{
		Name: "bench", Version: "1.0.0",
		Endpoint: &micro.EndpointConfig{
			Subject: "echo",
			Handler: micro.HandlerFunc(func(r micro.Request) { _ = r.Respond(r.Data()) }),
		},
	})
	if err != nil {
		nc.Close()
		return nil, err
	}
	return func() error {
		err := svc.Stop()
		nc.Close()
		return err
	}, nc.Flush()
}

func (m *micros) Request(ctx context.Context, payload []byte) ([]byte, error) {
	reply, err := m.nc.RequestWithContext(ctx, "echo", payload)
	if err != nil {
		return nil, err
	}
	return reply.Data, nil
}

// Silent listens and says nothing.
func (m *micros) Silent(context.Context) (func() error, error) {
	nc, err := nats.Connect(m.url)
	if err != nil {
		return nil, err
	}
	_, err = nc.Subscribe("echo", func(*nats.Msg) {})
	return func() error { nc.Close(); return nil }, errors.Join(err, nc.Flush())
}
