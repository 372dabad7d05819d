package store

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// Pending is a message that a consumer has.
type Pending struct {
	Entry
	Worker   string
	Idle     time.Duration // since its lease was renewed
	Progress string
}

// released is the consumer that has what was handed back (release.lua).
const released = "released"

// inFlightPage is how many messages InFlight looks at in one round trip.
const inFlightPage = 500

// InFlight returns up to n messages that consumers have, oldest first.
func (q *Queue) InFlight(ctx context.Context, n int) ([]Pending, error) {
	var out []Pending
	for from := "-"; len(out) < n; {
		list := redis.NewXPendingExtCmd(ctx, "XPENDING", q.Stream, q.group, from, "+", inFlightPage)
		if err := q.s.pipe.do(ctx, list); err != nil {
			return nil, classify(err)
		}
		if err := classify(list.Err()); errors.Is(err, ErrNoGroup) {
			break
		} else if err != nil {
			return nil, err
		}
		page := list.Val()
		found, err := q.pending(ctx, page, n-len(out))
		if err != nil {
			return nil, err
		}
		if out = append(out, found...); len(page) < inFlightPage {
			break
		}
		from = idAfter(page[len(page)-1].ID)
	}
	return out, nil
}

// pending reads up to n messages of a page, without those that only wait for a
// worker and those that were settled in between.
func (q *Queue) pending(ctx context.Context, page []redis.XPendingExt, n int) ([]Pending, error) {
	var cmds []redis.Cmder
	var of []redis.XPendingExt
	for _, p := range page {
		if p.Consumer != released && len(of) < n {
			of = append(of, p)
			cmds = append(cmds, redis.NewRawCmd(ctx, "XRANGE", q.Stream, p.ID, p.ID))
		}
	}
	if err := q.s.pipe.doAll(ctx, cmds); err != nil {
		return nil, classify(err)
	}
	var out []Pending
	notes := []any{"MGET"}
	for i, cmd := range cmds {
		raw, err := cmd.(*redis.RawCmd).Result()
		if err != nil {
			return nil, classify(err)
		}
		r := resp{b: raw}
		err = r.entries(func(id []byte, fields [][]byte) error {
			e := newEntry(string(id), fields)
			e.Deliveries = int(of[i].RetryCount)
			out = append(out, Pending{Entry: e, Worker: of[i].Consumer, Idle: of[i].Idle})
			if e.ID == "" {
				e.ID = e.Entry
			}
			notes = append(notes, q.Progress(e.ID))
			return nil
		})
		if err != nil {
			return nil, classify(err)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	get := redis.NewSliceCmd(ctx, notes...)
	if err := q.s.pipe.do(ctx, get); err != nil {
		return nil, classify(err)
	}
	for i, note := range get.Val() {
		out[i].Progress, _ = note.(string)
	}
	return out, classify(get.Err())
}
