package store

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// Waiting returns up to n messages of the stream after the entry id after (""
// for the beginning), ready and in flight ones alike, without consuming them.
func (q *Queue) Waiting(ctx context.Context, after string, n int) ([]Entry, error) {
	if q.isTopic() {
		return q.waitingOfTopic(ctx, after, n)
	}
	return q.s.rangeOf(ctx, q.Stream, after, n)
}

// rangeOf reads a stream without consuming it.
func (s *Store) rangeOf(ctx context.Context, stream, after string, n int) ([]Entry, error) {
	from := "-"
	if after != "" {
		from = "(" + after
	}
	return s.rangeBetween(ctx, stream, from, "+", n)
}

func (s *Store) rangeBetween(ctx context.Context, stream, first, last string, n int) ([]Entry, error) {
	raw, err := ask(ctx, s, redis.NewRawCmd(ctx, "XRANGE", stream, first, last, "COUNT", n))
	if err != nil {
		return nil, err
	}
	return entries(raw)
}

// entries reads the reply of an XRANGE.
func entries(raw []byte) ([]Entry, error) {
	r := resp{b: raw}
	n, err := r.array()
	if err != nil {
		return nil, classify(err)
	}
	out := make([]Entry, 0, max(n, 0))
	r.i = 0
	err = r.entries(func(id []byte, fields [][]byte) error {
		out = append(out, newEntry(string(id), fields))
		return nil
	})
	return out, classify(err)
}
