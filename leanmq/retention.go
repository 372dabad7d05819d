package leanmq

import (
	"context"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

// Retention is what a topic keeps. The zero Retention keeps everything. A message goes
// when one of the fields says so, but never while some group is not done with it,
// unless DropUnread is set.
type Retention struct {
	// Age lets messages go that were published longer ago. 0, or 1 s to 10 years.
	Age time.Duration `validate:"omitempty,min=1s,max=87600h" json:"age_ns"`
	// Length lets the oldest messages go when there are more.
	Length int64 `validate:"min=0" json:"length"`
	// UntilDone lets messages go that every group is done with. A topic without
	// groups keeps them.
	UntilDone bool `json:"until_done"`
	// DropUnread lets messages go by Age and Length also when some group has not
	// read them, or has them in flight. They are counted for the group
	// ([GroupInfo]) and logged.
	DropUnread bool `json:"drop_unread"`
}

// SetRetention replaces the topic's retention, which is kept in Redis. Whoever consumes
// one of its groups sees to it, within a third of the [Lease]; without consumers
// [Topic.Trim] does.
func (t *Topic) SetRetention(ctx context.Context, r Retention) error {
	err := t.err
	if err == nil {
		err = check(&r)
	}
	if err == nil && r.DropUnread && r.Age == 0 && r.Length == 0 {
		err = invalid("DropUnread", "drops by Age or Length: set one of them")
	}
	if err == nil {
		err = t.st.SetRetention(ctx, store.Retention(r))
	}
	return t.wrap("set retention", err)
}

// Retention returns the topic's retention.
func (t *Topic) Retention(ctx context.Context) (Retention, error) {
	if t.err != nil {
		return Retention{}, t.wrap("retention", t.err)
	}
	st, err := t.st.State(ctx)
	return Retention(st.Retention), t.wrap("retention", err)
}

// Trim takes away what the topic's retention does not keep, now, and returns how many
// messages that were. It does so in small pieces, so that it can be interrupted at any
// point, and nobody waits for it.
func (t *Topic) Trim(ctx context.Context) (n int64, err error) {
	if t.err != nil {
		return 0, t.wrap("trim", t.err)
	}
	for {
		out, err := t.st.Trim(ctx, 0)
		t.logDropped(out)
		if n += out.Entries; err != nil || !out.More {
			return n, t.wrap("trim", err)
		}
		if ctx.Err() != nil {
			return n, t.wrap("trim", context.Cause(ctx))
		}
	}
}

func (t *Topic) logDropped(out store.Trimmed) {
	for group, n := range out.Dropped {
		t.c.log.Warn().Str("topic", t.name).Str("group", group).Int64("messages", n).
			Msg("retention dropped messages that the group was not done with")
	}
}

const (
	// trimEvery is how often all the consumers of a topic look together.
	trimEvery = 5 * time.Second
	// trimTime is how long one look takes at most: leases have to be renewed.
	trimTime = time.Second
)

// trim sees to the retention of the topic, if the pool is a group's.
func (p *pool) trim(ctx context.Context) {
	if p.topic == nil {
		return
	}
	begin, every := time.Now(), min(trimEvery, p.cfg.Lease/3)
	for more := true; more && ctx.Err() == nil && time.Since(begin) < trimTime; every = 0 {
		out, err := p.topic.st.Trim(ctx, every)
		if err != nil {
			return // the next tick tries again
		}
		p.topic.logDropped(out)
		more = out.More
	}
}
