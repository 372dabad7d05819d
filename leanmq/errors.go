package leanmq

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/leanmq/leanmq/internal/store"
)

// What failed. Errors of this package wrap one of these or the cause as it is;
// use errors.Is.
var (
	// ErrClosed: the client was closed.
	ErrClosed = store.ErrClosed
	// ErrUnavailable: Redis cannot be reached or cannot serve now.
	ErrUnavailable = store.ErrUnavailable
	// ErrUnknown: the command was sent and no reply came in time. It may have
	// been executed.
	ErrUnknown = store.ErrUnknown
	// ErrQueueFull: the queue has reached its MaxLen. Nothing was sent.
	ErrQueueFull = store.ErrFull
	// ErrDuplicate: a message with this ID was sent before, within the dedupe
	// window, or one holds this Unique or UniqueFor key. Nothing was sent; the first
	// message's id is returned with it.
	ErrDuplicate = errors.New("duplicate of an earlier message")
	// ErrNotReplicated: the message was sent, and fewer replicas than Replicas asked
	// for are known to have it. The error is a *NotReplicatedError.
	ErrNotReplicated = store.ErrNotReplicated
	// ErrInvalid: an argument is out of bounds. The error is an *InvalidError
	// that names it, and nothing was sent.
	ErrInvalid = errors.New("invalid argument")
	// ErrLeaseLost: another worker has taken the message over, or it was
	// deleted. It is the cause of the handler's context and the result of
	// settling on the pull API.
	ErrLeaseLost = errors.New("message lease lost")
	// ErrExpired: the message's time is up. It is the cause of the handler's
	// context.
	ErrExpired = errors.New("message expired")
	// ErrCanceled: somebody canceled the message. It is the cause of the handler's
	// context.
	ErrCanceled = errors.New("message canceled")
	// ErrDrainTimeout: handlers were still running when DrainTimeout was over.
	// It is the cause of their contexts and the result of Consume.
	ErrDrainTimeout = errors.New("drain timeout")
	// ErrTimeout: the handler ran for longer than Timeout or MaxRunTime allows. The
	// cause of its context wraps it, and so does what Timeout makes of its error.
	ErrTimeout = errors.New("handler timeout")
	// ErrNotSent: a SendMiddleware neither passed a message on nor said why.
	ErrNotSent = errors.New("not passed on by a send middleware")
	// ErrConsuming: this client already consumes the queue; for
	// [PartitionedQueue.Delete], somebody does.
	ErrConsuming = errors.New("already consuming this queue")
	// ErrNotFound: there is no such dead letter, scheduled message, periodic job or
	// group.
	ErrNotFound = errors.New("not found")
	// ErrNotEmpty: a queue or topic with messages is not deleted unless forced.
	ErrNotEmpty = errors.New("not empty")
	// ErrNoResult: the message has no result, or not yet.
	ErrNoResult = errors.New("no result")
	// ErrUndecodable: a message's payload cannot be opened (see Encrypt) or
	// decoded (see Message.Decode). A handler that returns it dead-letters the
	// message at once.
	ErrUndecodable = errors.New("undecodable message")
	// ErrNoReply: a request was not answered in time.
	ErrNoReply = errors.New("no reply in time")
)

// Error says where something failed.
type Error struct {
	Op    string // what was being done, such as "send"
	Queue string // the queue's name, if there is one
	ID    string // the message's id, if it is known
	Err   error  // what failed, never nil
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("leanmq: ")
	b.WriteString(e.Op)
	if e.Queue != "" {
		fmt.Fprintf(&b, " %q", e.Queue)
	}
	if e.ID != "" {
		fmt.Fprintf(&b, " message %s", e.ID)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	return b.String()
}

// Unwrap returns what failed.
func (e *Error) Unwrap() error { return e.Err }

// InvalidError names an argument that is out of bounds, and the bound.
type InvalidError struct {
	Field string // such as "Concurrency"
	Rule  string // such as "is 0: want 1 to 100000"
}

func (e *InvalidError) Error() string { return e.Field + " " + e.Rule }

// Is makes errors.Is(err, ErrInvalid) true.
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

func invalid(field, format string, args ...any) error {
	return &InvalidError{Field: field, Rule: fmt.Sprintf(format, args...)}
}

// checkCount checks how many messages a caller wants to have at once.
func checkCount(n int) error {
	if n < 1 || n > 10000 {
		return invalid("n", "is %d: want 1 to 10000", n)
	}
	return nil
}

// wrap adds where it happened to err, unless it is nil.
func wrap(op, queue, id string, err error) error {
	if err == nil {
		return nil
	}
	var name *store.NameError
	if errors.As(err, &name) {
		err = &InvalidError{Field: name.What, Rule: fmt.Sprintf("%q %s", name.Name, name.Reason)}
	}
	var url *store.URLError
	if errors.As(err, &url) {
		err = &InvalidError{Field: "redis URL", Rule: "is not usable: " + url.Reason}
	}
	if errors.Is(err, store.ErrEventLog) {
		err = &InvalidError{Field: "topic", Rule: "is the log of an event store, which needs all of its events"}
	}
	if errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrUnavailable) && errors.Is(err, ErrUnknown) {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return &Error{Op: op, Queue: queue, ID: id, Err: err}
}
