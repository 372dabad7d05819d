package store

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// Retention is what a topic keeps. Zero fields mean: whatever.
type Retention struct {
	Age        time.Duration
	Length     int64
	UntilDone  bool
	DropUnread bool
}

// ErrEventLog refuses what would take events away from an event store.
var ErrEventLog = errors.New("the topic is the log of an event store, which needs all of its events")

// SetRetention replaces the topic's retention.
func (t *Topic) SetRetention(ctx context.Context, r Retention) error {
	flag := func(set bool, value string) string {
		if !set {
			return ""
		}
		return value
	}
	if r.Age > 0 || r.Length > 0 || r.UntilDone {
		n, err := t.s.count(ctx, "HEXISTS", t.Meta, "events") // Trim looks, too
		if err == nil && n > 0 {
			err = ErrEventLog
		}
		if err != nil {
			return err
		}
	}
	_, err := t.s.eval(ctx, controlScript, []string{t.Meta}, t.Sends.Notices(), t.Name,
		"age", flag(r.Age > 0, strconv.FormatInt(ceilMs(r.Age), 10)),
		"length", flag(r.Length > 0, strconv.FormatInt(r.Length, 10)),
		"done", flag(r.UntilDone, "1"), "drop", flag(r.DropUnread, "1"))
	return err
}

// Trimmed is what came of a Trim.
type Trimmed struct {
	Entries int64
	More    bool             // there may be more to take
	Dropped map[string]int64 // by group: what it was not done with
}

// Trim takes a piece of what the topic's retention does not keep, if nobody has looked
// since every. Safe to repeat.
func (t *Topic) Trim(ctx context.Context, every time.Duration) (Trimmed, error) {
	var out Trimmed
	reply, err := t.s.list(ctx, trimScript, []string{t.Stream, t.Meta, t.group("")}, every.Milliseconds())
	if err != nil || len(reply) < 2 {
		return out, err
	}
	out.Entries, out.More = integer(reply[0]), integer(reply[1]) == 1
	for _, v := range reply[2:] {
		if pair, _ := v.([]any); len(pair) == 2 {
			if out.Dropped == nil {
				out.Dropped = map[string]int64{}
			}
			name, _ := pair[0].(string)
			out.Dropped[name] = integer(pair[1])
		}
	}
	return out, nil
}
