package leanmq

import (
	"context"
	"errors"
	"sync"
)

// Send adds a message to a partition (see [PartitionedQueue]) and returns its id,
// as [Queue.Send] does. It costs what that costs.
func (q *PartitionedQueue) Send(ctx context.Context, payload []byte, opts ...SendOption) (id string, err error) {
	if err := q.fix(ctx); err != nil {
		return "", q.wrap("send", err)
	}
	if len(opts) == 0 {
		return q.parts[q.turns(1)].Send(ctx, payload)
	}
	c, err := q.parts[0].sendConfig(opts)
	if err != nil {
		return "", q.wrap("send", err)
	}
	return q.send(ctx, &c, payload)
}

// SendValue encodes v as [Queue.SendValue] does, and sends it as Send does.
func (q *PartitionedQueue) SendValue(ctx context.Context, v any, opts ...SendOption) (id string, err error) {
	if err := q.fix(ctx); err != nil {
		return "", q.wrap("send", err)
	}
	c, err := q.parts[0].sendConfig(opts)
	if err != nil {
		return "", q.wrap("send", err)
	}
	payload, err := q.c.encode(&c, v)
	if err != nil {
		return "", q.wrap("send", err)
	}
	return q.send(ctx, &c, payload)
}

func (q *PartitionedQueue) send(ctx context.Context, c *sendConfig, payload []byte) (id string, err error) {
	key, err := c.partitionKey(payload)
	if err != nil {
		return "", q.wrap("send", err)
	}
	part := 0
	if key == "" {
		part = q.turns(1)
	} else {
		part = partitionOf(key, len(q.parts))
	}
	e, terms := c.envelope(payload), c.terms
	return q.parts[part].send(ctx, &e, &terms)
}

// turns takes n turns and returns the first one's partition.
func (q *PartitionedQueue) turns(n int) int {
	return int((q.shared.next.Add(uint64(n)) - uint64(n)) % uint64(len(q.parts)))
}

// SendMany adds messages and returns their ids, as [Queue.SendMany] does: each
// partition's in one round trip and in this order, all partitions' at once. The
// options apply to each message; what they do not put into one partition goes round
// all. Send middleware and hooks see each partition's messages by themselves.
func (q *PartitionedQueue) SendMany(ctx context.Context, payloads [][]byte, opts ...SendOption) (ids []string, err error) {
	if err := q.fix(ctx); err != nil {
		return nil, q.wrap("send", err)
	}
	c, err := q.parts[0].sendConfig(opts)
	if err != nil {
		return nil, q.wrap("send", err)
	}
	if err := q.parts[0].manySendable(&c, payloads); err != nil {
		return nil, q.wrap("send", err)
	}
	at, err := q.deal(&c, payloads)
	if err != nil {
		return nil, q.wrap("send", err)
	}
	ids = make([]string, len(payloads))
	errs := make([]error, len(q.parts))
	var sends sync.WaitGroup
	for i, places := range at {
		if len(places) == 0 {
			continue
		}
		sends.Go(func() {
			some := make([][]byte, len(places))
			for j, place := range places {
				some[j] = payloads[place]
			}
			var got []string
			got, errs[i] = q.parts[i].sendMany(ctx, &c, some, places)
			for j, id := range got {
				ids[places[j]] = id
			}
		})
	}
	sends.Wait()
	return ids, errors.Join(errs...)
}

// deal returns the places of the messages that each partition gets.
func (q *PartitionedQueue) deal(c *sendConfig, payloads [][]byte) (at [][]int, err error) {
	at = make([][]int, len(q.parts))
	turn := -1
	for place, payload := range payloads {
		key, err := c.partitionKey(payload)
		if err != nil {
			return nil, err
		}
		part := 0
		switch {
		case key != "":
			part = partitionOf(key, len(q.parts))
		default:
			if turn < 0 {
				turn = q.turns(len(payloads))
			}
			part = (turn + place) % len(q.parts)
		}
		at[part] = append(at[part], place)
	}
	return at, nil
}
