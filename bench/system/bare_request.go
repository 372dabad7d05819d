package system

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/redis/go-redis/v9"
)

const bareReplies = "replies"

// mailbox brings replies to those who wait for them.
type mailbox struct {
	mu      sync.Mutex
	last    uint64
	waiting map[string]chan []byte
}

func (m *mailbox) expect() (id string, reply chan []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waiting == nil {
		m.waiting = map[string]chan []byte{}
	}
	m.last++
	id, reply = strconv.FormatUint(m.last, 36), make(chan []byte, 1)
	m.waiting[id] = reply
	return id, reply
}

func (m *mailbox) forget(id string) {
	m.mu.Lock()
	delete(m.waiting, id)
	m.mu.Unlock()
}

func (m *mailbox) deliver(id string, payload []byte) {
	m.mu.Lock()
	reply := m.waiting[id]
	m.mu.Unlock()
	if reply != nil {
		reply <- payload
	}
}

// Serve answers in the pipeline that settles the requests, and reads replies with
// one connection: XADD → XREADGROUP → XADD → XREAD.
func (b *bare) Serve(ctx context.Context) (func() error, error) {
	stopServer, err := b.read(ctx, []string{bareStream}, func(ctx context.Context, pl redis.Pipeliner, m redis.XMessage) {
		pl.XAdd(ctx, &redis.XAddArgs{
			Stream: bareReplies, NoMkStream: true,
			Values: []any{"p", m.Values["p"], "c", m.Values["c"]},
		})
	})
	if err != nil {
		return nil, err
	}
	stopReader, err := b.readReplies(ctx)
	if err != nil {
		return nil, errors.Join(err, stopServer())
	}
	return func() error { return errors.Join(stopReader(), stopServer()) }, nil
}

func (b *bare) readReplies(ctx context.Context) (func() error, error) {
	rdb := b.client()
	if err := rdb.XGroupCreateMkStream(ctx, bareReplies, bareGroup, "0").Err(); err != nil {
		return nil, errors.Join(err, rdb.Close())
	}
	return background(ctx, func(ctx context.Context) error {
		for last, unread := "0", 0; ; {
			got, err := rdb.XRead(ctx, &redis.XReadArgs{Streams: []string{bareReplies, last}, Count: 1000}).Result()
			if err != nil {
				return endOf(ctx, err)
			}
			for _, m := range got[0].Messages {
				id, _ := m.Values["c"].(string)
				payload, _ := m.Values["p"].(string)
				b.mail.deliver(id, []byte(payload))
				last = m.ID
			}
			if unread += len(got[0].Messages); unread > 1000 {
				unread = 0
				rdb.XTrimMinID(ctx, bareReplies, last)
			}
		}
	}, rdb.Close), nil
}

func (b *bare) Request(ctx context.Context, payload []byte) ([]byte, error) {
	id, reply := b.mail.expect()
	defer b.mail.forget(id)
	err := b.auto.XAdd(ctx, &redis.XAddArgs{Stream: bareStream, Values: []any{"p", payload, "c", id}}).Err()
	if err != nil {
		return nil, err
	}
	select {
	case p := <-reply:
		return p, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("no reply: %w", context.Cause(ctx))
	}
}

// Silent is there at once: nobody reads the stream.
func (b *bare) Silent(context.Context) (func() error, error) {
	return func() error { return nil }, nil
}
