package eventstore

import (
	"errors"
	"fmt"
)

// What failed; use errors.Is. Besides these there are those of package leanmq:
// ErrInvalid, ErrUnavailable, ErrUnknown, ErrUndecodable, ErrNotFound.
var (
	// ErrConflict: the aggregate has another version than expected. Nothing was
	// appended. The error is a *ConflictError.
	ErrConflict = errors.New("version conflict")
	// ErrPosition: there is no event at the position that was to be read from, so that
	// nobody can tell what came behind it. The error is a *PositionError.
	ErrPosition = errors.New("no such position")
	// ErrMissing: an event of an aggregate is not in the log any more. The error is a
	// *MissingError.
	ErrMissing = errors.New("missing event")
)

// ConflictError says which version an aggregate has, and which one was expected.
type ConflictError struct {
	Aggregate string
	Expected  Expected
	Actual    int64
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%v: aggregate %q is at version %d, expected %v: load it again and decide anew",
		ErrConflict, e.Aggregate, e.Actual, e.Expected)
}

// Unwrap returns ErrConflict.
func (e *ConflictError) Unwrap() error { return ErrConflict }

// PositionError says what the log holds instead of an event at a position: somebody
// trimmed it, or Redis lost its end in a crash or a fail-over. A projection goes on after
// [Store.ResetProjection].
type PositionError struct {
	Position    string
	First, Last string // positions of the log, "" if it is empty
	Events      int64  // in the log
}

func (e *PositionError) Error() string {
	if e.Events == 0 {
		return fmt.Sprintf("%v: %s: the log is empty", ErrPosition, e.Position)
	}
	return fmt.Sprintf("%v: %s: the log holds %d events, from %s to %s", ErrPosition, e.Position, e.Events, e.First, e.Last)
}

// Unwrap returns ErrPosition.
func (e *PositionError) Unwrap() error { return ErrPosition }

// MissingError names an event that an index knows and the log does not hold any more:
// somebody trimmed the log, or deleted from it.
type MissingError struct{ Position string }

func (e *MissingError) Error() string {
	return fmt.Sprintf("%v: %s was taken out of the log: an event store must not be trimmed", ErrMissing, e.Position)
}

// Unwrap returns ErrMissing.
func (e *MissingError) Unwrap() error { return ErrMissing }

// CommandError says which command of a [Commit] Redis refused, such as one on a key of
// another type. Those before it have been executed, because Redis does not undo; the
// projection stands still before the events that they belong to.
type CommandError struct {
	Command []any
	Reason  string
}

func (e *CommandError) Error() string {
	return fmt.Sprintf("redis refused the command %.200v of a commit, and executed those before it: %s", e.Command, e.Reason)
}
