package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
)

// Watermill is its Redis Streams publisher and subscriber.
var Watermill = System{
	Name:    "watermill",
	Module:  "github.com/ThreeDotsLabs/watermill-redisstream",
	Setting: "Publisher with 100 connections; 16 Subscribers of one consumer group, or as many as the scenario says: each takes one message at a time; DisableIndefiniteInitialBlock, so that they can be closed",
	Lacks:   "batches (Publish sends one XADD after another), fencing, retries without its middleware; handled messages stay in the stream",
	Without: "batches, dead letters, fencing",
	Needs:   Redis,
	Open:    openWatermill,
}

type mill struct {
	addr string
	pub  *redisstream.Publisher
}

func openWatermill(_ context.Context, env Env) (io.Closer, error) {
	pub, err := redisstream.NewPublisher(redisstream.PublisherConfig{
		Client: redis.NewClient(&redis.Options{Addr: env.Redis.Addr, PoolSize: 100}),
	}, watermill.NopLogger{})
	return &mill{addr: env.Redis.Addr, pub: pub}, err
}

func (w *mill) Close() error { return w.pub.Close() }

func (w *mill) Send(_ context.Context, payload []byte) error {
	return w.pub.Publish("bench", message.NewMessage(watermill.NewUUID(), payload))
}

func (w *mill) SendMany(_ context.Context, payloads [][]byte) error {
	batch := make([]*message.Message, len(payloads))
	for i, p := range payloads {
		batch[i] = message.NewMessage(watermill.NewUUID(), p)
	}
	return w.pub.Publish("bench", batch...)
}

func (w *mill) Consume(ctx context.Context, workers int, handle func()) (func() error, error) {
	if workers == Best {
		workers = 16
	}
	topics := make([]string, workers)
	for i := range topics {
		topics[i] = "bench"
	}
	return w.subscribe(ctx, topics, handle)
}

func (w *mill) Route(ctx context.Context, routes int, handle func()) (func() error, error) {
	topics := make([]string, routes)
	for i := range topics {
		topics[i] = routeStream(i)
	}
	return w.subscribe(ctx, topics, handle)
}

func (w *mill) SendTo(_ context.Context, route int, payload []byte) error {
	return w.pub.Publish(routeStream(route), message.NewMessage(watermill.NewUUID(), payload))
}

// subscribe has a subscriber, each a consumer of its own, for every topic.
func (w *mill) subscribe(ctx context.Context, topics []string, handle func()) (func() error, error) {
	ctx, cancel := context.WithCancel(ctx)
	rdb := redis.NewClient(&redis.Options{Addr: w.addr, PoolSize: 2*len(topics) + 10})
	var workers sync.WaitGroup
	stop := sync.OnceValue(func() error {
		cancel()
		workers.Wait()
		return rdb.Close()
	})
	for i, topic := range topics {
		sub, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
			Client: rdb, ConsumerGroup: "bench", Consumer: fmt.Sprint("c", i),
			DisableIndefiniteInitialBlock: true,
		}, watermill.NopLogger{})
		if err != nil {
			return nil, errors.Join(err, stop())
		}
		messages, err := sub.Subscribe(ctx, topic)
		if err != nil {
			return nil, errors.Join(err, stop())
		}
		workers.Go(func() {
			for m := range messages {
				handle()
				m.Ack()
			}
		})
	}
	return stop, nil
}
