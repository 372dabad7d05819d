package server

import (
	"errors"
	"time"

	nats "github.com/nats-io/nats-server/v2/server"
)

// NATS is a NATS server in this process, with JetStream and a listener on
// loopback. What it allocates and computes counts as this process's own.
type NATS struct {
	URL string

	s *nats.Server
}

// StartNATS starts a server that keeps its streams in dir. It syncs them to disk
// every two minutes, as is its default, or every second if it is durable: what
// comes nearest to Redis with appendfsync everysec.
func StartNATS(dir string, durable bool) (*NATS, error) {
	opts := &nats.Options{
		Host: "127.0.0.1", Port: nats.RANDOM_PORT, NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: dir,
	}
	if durable {
		opts.SyncInterval = time.Second
	}
	s, err := nats.NewServer(opts)
	if err != nil {
		return nil, err
	}
	go s.Start() // returns by itself; Stop waits for what it started
	if !s.ReadyForConnections(20 * time.Second) {
		s.Shutdown()
		return nil, errors.New("the NATS server does not answer")
	}
	return &NATS{URL: s.ClientURL(), s: s}, nil
}

// Stop ends the server and waits for it.
func (n *NATS) Stop() error {
	n.s.Shutdown()
	n.s.WaitForShutdown()
	return nil
}
