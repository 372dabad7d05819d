package system

import (
	"context"
	"io"

	"github.com/leanmq/leanmq/bench/server"
)

// System is something that is measured.
type System struct {
	Name    string
	Module  string // whose version the report names; "" for none
	Setting string // how it is used here
	Lacks   string // of what the others promise
	Without string // the worst of it, in the table
	Needs   Server
	Open    func(ctx context.Context, env Env) (io.Closer, error)
}

// Server says what a system runs on.
type Server int

// What a system may need.
const (
	Nothing Server = iota
	Redis
	NATS
)

// Env is what a system is opened on: fresh servers of the kind it needs.
type Env struct {
	Redis *server.Redis
	NATS  *server.NATS
}

// An open system implements those of these interfaces that it offers. They are
// safe for concurrent use.

// Sender sends messages one by one; when Send returns the server has it.
type Sender interface {
	Send(ctx context.Context, payload []byte) error
}

// BatchSender sends messages together.
type BatchSender interface {
	SendMany(ctx context.Context, payloads [][]byte) error
}

// Consumer hands what was sent to handle, and settles it when that returns.
// workers is how many handlers run at once; Best leaves it to the adapter. stop
// ends it and waits.
type Consumer interface {
	Consume(ctx context.Context, workers int, handle func()) (stop func() error, err error)
}

// Best is as many workers as suit handlers that do nothing.
const Best = 0

// Router consumes many queues, topics or subjects in one process.
type Router interface {
	// Route returns when all routes are served.
	Route(ctx context.Context, routes int, handle func()) (stop func() error, err error)
	SendTo(ctx context.Context, route int, payload []byte) error
}

// Requester answers requests, each with its own payload.
type Requester interface {
	// Serve returns when requests are answered.
	Serve(ctx context.Context) (stop func() error, err error)
	Request(ctx context.Context, payload []byte) ([]byte, error)
}

// Silence takes requests that nobody ever answers.
type Silence interface {
	// Silent returns when Request is accepted and waits until ctx ends.
	Silent(ctx context.Context) (stop func() error, err error)
	Request(ctx context.Context, payload []byte) ([]byte, error)
}

// Web answers POST /echo over HTTP with the body of the request.
type Web interface {
	Web(ctx context.Context) (addr string, stop func() error, err error)
}

// Graveyard keeps what failed for good.
type Graveyard interface {
	// Bury has n messages fail, and returns when all are dead.
	Bury(ctx context.Context, n int, payload []byte) error
	// ListDead looks at every dead message and returns how many there are.
	ListDead(ctx context.Context) (int, error)
	// RequeueDead sends all of them again and returns how many there were.
	RequeueDead(ctx context.Context) (int, error)
}

// Bounded is a Graveyard that forgets: Bury must not be asked for more.
type Bounded interface {
	MaxDead() int
}

// Stored tells what waiting messages take on disk, where that is where they are.
type Stored interface {
	StoredBytes(ctx context.Context) (float64, error)
}

// All are the systems, in the order of the report.
func All() []System {
	return []System{LeanMQ, Bare, BarePlain, Asynq, Watermill, JetStream, Micro, Proxy, Goroutines}
}
