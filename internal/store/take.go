package store

import (
	"context"
	"fmt"
	"time"
)

// Wanted is what a Take is to bring.
type Wanted struct {
	Most int // messages
	// Plan has a digit for each message: which of the levels it is to come from.
	// What these do not have comes from the others, the first ones first. "" = all
	// of it.
	Plan string
	// UpTo is the most to take from each level and those before it.
	UpTo []int
}

// Taken is what came of a Take.
type Taken struct {
	// Why there was no more: "", "empty", "paused", "running", "returned" (as
	// "running", but some of it was handed back), "rate", "blocked" (too many of a
	// group wait for others with their ordering keys).
	Why  string
	Wait time.Duration // until the rate allows more
	Last []string      // of each level, when it is empty: the last entry that was delivered
	More []bool        // whether each level has more; told where there are several
}

// Take reads new messages of the levels of one queue, the most urgent first, as far
// as its limits allow. It does not wait. One of the levels may be the topic of a
// group (see Queue.OfTopic).
func (s *Store) Take(ctx context.Context, consumer string, levels []*Queue, w Wanted, each func(level int, e Entry)) (Taken, error) {
	var t Taken
	keys := levels[0].scope(levels[0].Rate)
	args := append(make([]any, 0, 3+2*len(levels)), consumer, w.Most, w.Plan)
	for i, q := range levels {
		keys, args = append(keys, q.Stream), append(args, q.group, w.UpTo[i])
	}
	reply, err := s.list(ctx, takeScript, keys, args...)
	if err != nil {
		return t, err
	}
	if len(reply) < 2 {
		return t, fmt.Errorf("%w: take returned %v", errProtocol, reply)
	}
	t.Why, _ = reply[0].(string)
	if t.Why == "nogroup" {
		return t, ErrNoGroup
	}
	t.Wait = time.Duration(integer(reply[1])) * time.Millisecond
	for i, v := range reply[2:] {
		entries, _ := v.([]any)
		if len(entries) < 2 {
			return t, fmt.Errorf("%w: take returned %v", errProtocol, v)
		}
		last, _ := entries[0].(string)
		t.Last, t.More = append(t.Last, last), append(t.More, integer(entries[1]) > 0)
		for _, v := range entries[2:] {
			pair, _ := v.([]any)
			if len(pair) != 2 {
				return t, fmt.Errorf("%w: take returned %v", errProtocol, v)
			}
			id, _ := pair[0].(string)
			e := newEntry(id, byteFields(pair[1]))
			e.Deliveries = 1
			each(i, e)
		}
	}
	return t, nil
}

// Await waits up to wait until one of the queues has an entry after its one in
// last. It may return early.
func (r *Reader) Await(ctx context.Context, queues []*Queue, last []string, wait time.Duration) error {
	args := append(r.buf[:0], "XREAD", "COUNT", 1, "BLOCK", max(r.block(wait).Milliseconds(), 1), "STREAMS")
	for _, q := range queues {
		args = append(args, q.stream)
	}
	for _, id := range last {
		args = append(args, id)
	}
	r.buf = args
	r.busy.Store(true)
	defer r.busy.Store(false)
	reply, err := r.run(ctx, queues[0].Stream, args)
	if reply == nil {
		return classify(err)
	}
	parse := resp{b: reply}
	return classify(parse.streams(func(_, _ []byte, _ [][]byte) error { return nil }))
}
