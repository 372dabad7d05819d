package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Bare is the floor: the same commands, sent with go-redis and nothing around
// them.
var Bare = System{
	Name:    "bare",
	Module:  "github.com/redis/go-redis/v9",
	Setting: "go-redis: XADD by AutoPipeline or in one pipeline, XREADGROUP COUNT 200, then XACK and XDEL in one pipeline",
	Lacks:   "retries, dead letters, leases, fencing: a crashed worker's messages stay where they are",
	Without: "retries, dead letters, fencing",
	Needs:   Redis,
	Open:    openBare,
}

const (
	bareStream = "bench"
	bareGroup  = "g"
	batchSize  = 200
)

type bare struct {
	addr string
	rdb  *redis.Client // of the sender
	auto *redis.AutoPipeliner
	mail mailbox
}

func openBare(_ context.Context, env Env) (io.Closer, error) {
	b := &bare{addr: env.Redis.Addr}
	b.rdb = b.client()
	auto, err := b.rdb.AutoPipeline()
	if err != nil {
		return nil, errors.Join(err, b.rdb.Close())
	}
	b.auto = auto
	return b, nil
}

// client makes a client of its own, as another process would.
func (b *bare) client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: b.addr, Protocol: 2, MaxRetries: -1})
}

func (b *bare) Close() error { return errors.Join(b.auto.Close(), b.rdb.Close()) }

func (b *bare) Send(ctx context.Context, payload []byte) error {
	return b.auto.XAdd(ctx, entry(bareStream, payload)).Err()
}

func entry(stream string, payload []byte) *redis.XAddArgs {
	return &redis.XAddArgs{Stream: stream, Values: []any{"p", payload}}
}

func (b *bare) SendMany(ctx context.Context, payloads [][]byte) error {
	pl := b.rdb.Pipeline()
	for _, p := range payloads {
		pl.XAdd(ctx, entry(bareStream, p))
	}
	_, err := pl.Exec(ctx)
	return err
}

func (b *bare) Consume(ctx context.Context, _ int, handle func()) (func() error, error) {
	return b.read(ctx, []string{bareStream}, func(context.Context, redis.Pipeliner, redis.XMessage) { handle() })
}

// read consumes the streams: each adds what a message needs to the pipeline that
// settles it.
func (b *bare) read(ctx context.Context, streams []string, each func(context.Context, redis.Pipeliner, redis.XMessage)) (func() error, error) {
	rdb := b.client()
	pl := rdb.Pipeline()
	for _, s := range streams {
		pl.XGroupCreateMkStream(ctx, s, bareGroup, "0")
	}
	if _, err := pl.Exec(ctx); err != nil && !strings.HasPrefix(err.Error(), "BUSYGROUP") {
		return nil, errors.Join(err, rdb.Close())
	}
	args := &redis.XReadGroupArgs{Group: bareGroup, Consumer: "c", Count: batchSize, Streams: streams}
	for range streams {
		args.Streams = append(args.Streams, ">")
	}
	// A read blocks for ever: closing the connection is what ends it.
	return background(ctx, func(ctx context.Context) error {
		ids := make([]string, 0, batchSize)
		for ctx.Err() == nil {
			got, err := rdb.XReadGroup(ctx, args).Result()
			if err != nil {
				return endOf(ctx, err)
			}
			pl := rdb.Pipeline()
			for _, s := range got {
				ids = ids[:0]
				for _, m := range s.Messages {
					each(ctx, pl, m)
					ids = append(ids, m.ID)
				}
				pl.XAck(ctx, s.Stream, bareGroup, ids...)
				pl.XDel(ctx, s.Stream, ids...)
			}
			if _, err := pl.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
				return endOf(ctx, err)
			}
		}
		return nil
	}, rdb.Close), nil
}

// endOf is the error of what was ended on purpose: none.
func endOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (b *bare) Route(ctx context.Context, routes int, handle func()) (func() error, error) {
	streams := make([]string, routes)
	for i := range streams {
		streams[i] = routeStream(i)
	}
	return b.read(ctx, streams, func(context.Context, redis.Pipeliner, redis.XMessage) { handle() })
}

func routeStream(route int) string { return fmt.Sprintf("bench-%d", route) }

func (b *bare) SendTo(ctx context.Context, route int, payload []byte) error {
	return b.rdb.XAdd(ctx, entry(routeStream(route), payload)).Err()
}

// BarePlain is what go-redis does when it is just used.
var BarePlain = System{
	Name:    "bare-plain",
	Setting: "go-redis: one XADD a round trip, over a pool of 100 connections",
	Lacks:   Bare.Lacks,
	Without: Bare.Without,
	Needs:   Redis,
	Open: func(_ context.Context, env Env) (io.Closer, error) {
		return &barePlain{redis.NewClient(&redis.Options{Addr: env.Redis.Addr, Protocol: 2, MaxRetries: -1, PoolSize: 100})}, nil
	},
}

type barePlain struct{ rdb *redis.Client }

func (b *barePlain) Close() error { return b.rdb.Close() }

func (b *barePlain) Send(ctx context.Context, payload []byte) error {
	return b.rdb.XAdd(ctx, entry(bareStream, payload)).Err()
}
