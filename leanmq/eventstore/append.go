package eventstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/leanmq/leanmq/internal/store"
	"github.com/leanmq/leanmq/leanmq"
)

// MaxEvents is how many events an append may have.
const MaxEvents = 1000

// NewEvent is an event to append.
type NewEvent struct {
	// Type says what has happened, such as "order.paid". The bounds are those of
	// leanmq.Type.
	Type string
	// Data is encoded with the client's codec (see leanmq.Codecs), and compressed and
	// encrypted as the client does with messages.
	Data any
	// Header is metadata, such as who did it. The bounds are those of
	// leanmq.WithHeader, and at most 120 of them.
	Header leanmq.Header
}

// Expected is the version that an append expects its aggregate to have.
type Expected struct{ version int64 }

var (
	// NoEvents expects an aggregate that does not exist.
	NoEvents = Expected{0}
	// Any expects nothing: there are no conflicts.
	Any = Expected{store.AnyVersion}
)

// Exactly expects an aggregate with so many events.
func Exactly(version int64) Expected {
	if version < 0 {
		version = invalidVersion
	}
	return Expected{version}
}

const invalidVersion = -2

func (e Expected) String() string {
	switch e.version {
	case 0:
		return "no events"
	case store.AnyVersion:
		return "any version"
	}
	return fmt.Sprint(e.version)
}

// Appended is what came of an append.
type Appended struct {
	// Version is that of the aggregate with the events.
	Version int64
	// Positions are those of the events, in order.
	Positions []string
	// Repeated is true when the events were there already, from an append with the same
	// id (see AppendOnce).
	Repeated bool
}

// Append appends events to an aggregate, all or none. It returns when Redis has them.
//
// When no reply comes it asks again, in a way that cannot append twice, for up to some
// seconds or until ctx ends. Errors: [ErrConflict], leanmq.ErrInvalid, and
// leanmq.ErrUnavailable alone mean that nothing was appended; leanmq.ErrUnknown means
// that it may have been.
func (s *Store) Append(ctx context.Context, aggregate string, expected Expected, events ...NewEvent) (Appended, error) {
	return s.append(ctx, ":"+rand.Text(), aggregate, expected, events)
}

// AppendOnce is Append under an id of the caller's, such as that of the message that
// made it necessary: 1 to 256 bytes, unique within the aggregate. A second append with
// the same id within [OnceFor] changes nothing, whatever it expects and appends, and
// returns what came of the first one. So it may be repeated after any error, by another
// process, too.
func (s *Store) AppendOnce(ctx context.Context, id, aggregate string, expected Expected, events ...NewEvent) (Appended, error) {
	err := checkText("id", id)
	if err == nil && id[0] == ':' {
		err = invalid("id", "%.40q begins with a colon: want another first byte", id)
	}
	if err != nil {
		return Appended{}, s.wrap("append to", aggregate, err)
	}
	return s.append(ctx, id, aggregate, expected, events)
}

// ownWindow is how long an append is remembered that has no id of the caller's: for
// longer than Append goes on repeating it.
const ownWindow = time.Minute

func (s *Store) append(ctx context.Context, id, aggregate string, expected Expected, events []NewEvent) (Appended, error) {
	a := store.Append{Aggregate: aggregate, Expected: expected.version, ID: id, Window: ownWindow}
	if id[0] != ':' {
		a.Window = s.once
	}
	err := s.check(aggregate)
	switch {
	case err != nil:
	case expected.version == invalidVersion:
		err = invalid("expected version", "is negative: want 0 or more")
	case len(events) == 0 || len(events) > MaxEvents:
		err = invalid("events", "are %d: want 1 to %d", len(events), MaxEvents)
	default:
		a.Events, err = s.encode(events)
	}
	if err != nil {
		return Appended{}, s.wrap("append to", aggregate, err)
	}
	r, err := s.appendUntilKnown(ctx, &a)
	if err == nil && r.Conflict {
		err = &ConflictError{Aggregate: aggregate, Expected: expected, Actual: r.Version}
	}
	if err != nil {
		return Appended{}, s.wrap("append to", aggregate, err)
	}
	return Appended{Version: r.Version, Positions: r.Entries, Repeated: r.Repeated && a.ID[0] != ':'}, nil
}

func (s *Store) encode(events []NewEvent) ([]store.Envelope, error) {
	out := make([]store.Envelope, len(events))
	for i, ev := range events {
		var err error
		if len(ev.Header) > maxHeaders {
			err = invalid("header", "there are %d: at most %d are allowed", len(ev.Header), maxHeaders)
		} else {
			out[i], err = s.mq.Encode(ev.Data, leanmq.Type(ev.Type), leanmq.Headers(ev.Header))
		}
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
	}
	return out, nil
}

// maxHeaders leaves room for those of the store.
const maxHeaders = store.MaxHeaders - 8

// appendUntilKnown repeats an append whose outcome is not known. The waits are short:
// an outage that lasts is the caller's to wait for.
func (s *Store) appendUntilKnown(ctx context.Context, a *store.Append) (r store.Appended, err error) {
	for pause := 10 * time.Millisecond; ; pause *= 4 {
		r, err = s.log.Append(ctx, a)
		if !errors.Is(err, leanmq.ErrUnknown) || pause > time.Second {
			return r, err
		}
		select {
		case <-ctx.Done():
			return r, err
		case <-time.After(pause):
		}
	}
}
