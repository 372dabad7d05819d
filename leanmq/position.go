package leanmq

import (
	"errors"
	"fmt"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

// ErrNotRetained means that a topic's retention has taken away what a position means.
// The error is a *PositionError that says what there is.
var ErrNotRetained = errors.New("not retained any more")

// Position is a place in a topic: in front of a message, or at one of its ends. The
// zero Position is [FromBeginning].
type Position struct {
	after string // the entry before it; "" = none, "$" = the last one
	text  string
	err   error
}

// FromBeginning is in front of the first message that is retained.
func FromBeginning() Position { return Position{} }

// FromNow is behind the last message.
func FromNow() Position { return Position{after: "$", text: "now"} }

// FromTime is in front of the first message that was published at t or later, by the
// server's clock, to the millisecond.
func FromTime(t time.Time) Position {
	ms := t.Add(time.Millisecond - 1).UnixMilli() // not before t
	if ms <= 0 {
		return Position{}
	}
	return Position{after: store.IDBefore(fmt.Sprintf("%d-0", ms)), text: t.Format(time.RFC3339Nano)}
}

// FromID is in front of the message with this id: one that [Topic.Publish] made, not
// an [ID] of the caller's. Whether there is such a message does not matter.
func FromID(id string) Position {
	p := AfterID(id)
	p.text = "message " + id
	if p.err != nil {
		return p
	}
	p.after = store.IDBefore(p.after)
	return p
}

// AfterID is behind the message with this id: where to go on after it. The id is one
// that [Topic.Publish] made, not an [ID] of the caller's.
func AfterID(id string) Position {
	p := Position{after: id, text: "after message " + id}
	if !store.IsEntryID(id) {
		p.err = invalid("Position", "%.40q is no message's place in a topic: it looks like 1700000000000-0", id)
		return p
	}
	return p
}

// MarshalText writes the position so that UnmarshalText can read it: for those who
// remember how far they have read (see [Topic.Read]).
func (p Position) MarshalText() ([]byte, error) {
	if p.err != nil {
		return nil, p.err
	}
	return []byte(p.start()), nil
}

// UnmarshalText reads what MarshalText wrote.
func (p *Position) UnmarshalText(text []byte) error {
	switch s := string(text); s {
	case "0-0":
		*p = FromBeginning()
	case "$":
		*p = FromNow()
	default:
		*p = AfterID(s)
	}
	return p.err
}

// String says where it is, such as "message 1700000000000-0".
func (p Position) String() string {
	if p.text == "" {
		return "beginning"
	}
	return p.text
}

// start is the entry that it is behind.
func (p Position) start() string {
	if p.after == "" {
		return "0-0"
	}
	return p.after
}

// PositionError says that a topic does not have a position, and what it has.
type PositionError struct {
	Position Position
	// First and Last are the ids of the messages at the ends of what there is, and
	// FirstAt and LastAt when they were published. Without messages all are zero.
	First, Last     string
	FirstAt, LastAt time.Time
	gone            bool
}

func (e *PositionError) Error() string {
	what := "the topic is empty"
	if e.First != "" {
		what = fmt.Sprintf("the first message is %s of %s, the last one %s of %s: see FromBeginning and FromNow",
			e.First, e.FirstAt.UTC().Format(time.RFC3339), e.Last, e.LastAt.UTC().Format(time.RFC3339))
	}
	if e.gone {
		return fmt.Sprintf("position %s is %v: %s", e.Position, ErrNotRetained, what)
	}
	return fmt.Sprintf("position %s is ahead of the topic: %s", e.Position, what)
}

// Is makes errors.Is true for [ErrNotRetained], or for [ErrInvalid] when the position
// is ahead of the topic.
func (e *PositionError) Is(target error) bool {
	if e.gone {
		return target == ErrNotRetained
	}
	return target == ErrInvalid
}

// positionError says which position was meant.
func (p Position) positionError(err error) error {
	var of *store.PositionError
	if !errors.As(err, &of) {
		return err
	}
	e := &PositionError{Position: p, First: of.First, Last: of.Last, gone: of.Gone}
	if e.First != "" {
		e.FirstAt, e.LastAt = time.UnixMilli(store.EntryTime(e.First)), time.UnixMilli(store.EntryTime(e.Last))
	}
	return e
}
