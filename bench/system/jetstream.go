package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// JetStream is NATS with a stream in files.
var JetStream = System{
	Name:    "jetstream",
	Module:  "github.com/nats-io/nats-server/v2",
	Setting: "a server in this process (its CPU time and allocations count); file storage, work-queue retention; Publish, or PublishAsync by 200; Consume of a durable pull consumer with MaxAckPending 20,000, handlers in its callback or workers that share Messages; without fsync for 2 minutes, in the rows with AOF for 1 s",
	Lacks:   "dead letters, fencing; request and reply are not durable (micro)",
	Without: "dead letters, fencing",
	Needs:   NATS,
	Open:    openJetStream,
}

type jets struct {
	url string
	nc  *nats.Conn // of the sender
	js  jetstream.JetStream
}

const jetsStream = "bench"

func openJetStream(ctx context.Context, env Env) (io.Closer, error) {
	nc, err := nats.Connect(env.NATS.URL)
	if err != nil {
		return nil, err
	}
	j := &jets{url: env.NATS.URL, nc: nc}
	if j.js, err = jetstream.New(nc); err == nil {
		_, err = j.js.CreateStream(ctx, jetstream.StreamConfig{
			Name: jetsStream, Subjects: []string{"bench.>"},
			Storage: jetstream.FileStorage, Retention: jetstream.WorkQueuePolicy,
		})
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return j, nil
}

func (j *jets) Close() error {
	j.nc.Close()
	return nil
}

func (j *jets) Send(ctx context.Context, payload []byte) error {
	return j.SendTo(ctx, 0, payload)
}

func (j *jets) SendTo(ctx context.Context, route int, payload []byte) error {
	_, err := j.js.Publish(ctx, subject(route), payload)
	return err
}

func subject(route int) string { return fmt.Sprintf("bench.%d", route) }

func (j *jets) SendMany(ctx context.Context, payloads [][]byte) error {
	acks := make([]jetstream.PubAckFuture, len(payloads))
	for i, p := range payloads {
		var err error
		if acks[i], err = j.js.PublishAsync(subject(0), p); err != nil {
			return err
		}
	}
	for _, a := range acks {
		select {
		case <-a.Ok():
		case err := <-a.Err():
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// consumer is one with a connection of its own, as in another process.
func (j *jets) consumer(ctx context.Context) (*nats.Conn, jetstream.Consumer, error) {
	nc, err := nats.Connect(j.url)
	if err != nil {
		return nil, nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	c, err := js.CreateOrUpdateConsumer(ctx, jetsStream, jetstream.ConsumerConfig{
		Durable: "bench", AckPolicy: jetstream.AckExplicitPolicy, MaxAckPending: 20_000,
	})
	if err != nil {
		nc.Close()
	}
	return nc, c, err
}

func (j *jets) Consume(ctx context.Context, workers int, handle func()) (func() error, error) {
	nc, c, err := j.consumer(ctx)
	if err != nil {
		return nil, err
	}
	if workers != Best {
		return share(nc, c, workers, handle)
	}
	consuming, err := c.Consume(func(m jetstream.Msg) {
		handle()
		_ = m.Ack()
	})
	if err != nil {
		nc.Close()
		return nil, err
	}
	return func() error {
		consuming.Stop()
		<-consuming.Closed()
		nc.Close()
		return nil
	}, nil
}

// share has workers take from one iterator.
func share(nc *nats.Conn, c jetstream.Consumer, workers int, handle func()) (func() error, error) {
	messages, err := c.Messages()
	if err != nil {
		nc.Close()
		return nil, err
	}
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			for {
				m, err := messages.Next()
				if errors.Is(err, jetstream.ErrMsgIteratorClosed) {
					return
				}
				if err != nil {
					errs[i] = err
					return
				}
				handle()
				_ = m.Ack()
			}
		})
	}
	return func() error {
		messages.Stop()
		wg.Wait()
		nc.Close()
		return errors.Join(errs...)
	}, nil
}

// Route has one consumer for all subjects: nothing else is needed.
func (j *jets) Route(ctx context.Context, _ int, handle func()) (func() error, error) {
	return j.Consume(ctx, Best, handle)
}

func (j *jets) StoredBytes(ctx context.Context) (float64, error) {
	s, err := j.js.Stream(ctx, jetsStream)
	if err != nil {
		return 0, err
	}
	info, err := s.Info(ctx)
	if err != nil {
		return 0, err
	}
	return float64(info.State.Bytes), nil
}
