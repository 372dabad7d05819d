package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"
)

var (
	// ErrClosed is returned by everything after Close.
	ErrClosed = errors.New("client is closed")
	// ErrUnavailable means that no server could be reached, or that it cannot
	// serve now (loading, read-only replica, cluster down).
	ErrUnavailable = errors.New("redis is unavailable")
	// ErrUnknown means that a command was sent and no reply came: it may have
	// been executed.
	ErrUnknown = errors.New("outcome unknown")
	// ErrNoGroup means that the queue's group is gone: the data was flushed,
	// the server restarted empty or failed over.
	ErrNoGroup = errors.New("consumer group is gone")
)

// unknownError is the end of the wait for a reply: it keeps the reason.
type unknownError struct{ err error }

func (e *unknownError) Error() string   { return fmt.Sprintf("%v: %v", ErrUnknown, e.err) }
func (e *unknownError) Unwrap() []error { return []error{ErrUnknown, e.err} }

// notInTime is the error of what could not be sent before ctx ended: those in front of
// it had no answer, or its slot was on the way.
func notInTime(ctx context.Context) error {
	return fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
}

// classify turns an error of go-redis into one of this package's, keeping the
// original in its chain.
func classify(err error) error {
	if err == nil {
		return nil
	}
	var known redis.Error
	if errors.As(err, &known) {
		return classifyReply(err)
	}
	var op *net.OpError
	var network net.Error
	switch {
	case errors.Is(err, ErrUnknown), errors.Is(err, ErrClosed), errors.Is(err, ErrUnavailable):
		return err // said already
	case errors.As(err, &op) && op.Op == "dial",
		errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted):
		return fmt.Errorf("%w: %w", ErrUnavailable, err) // it was not sent
	case errors.Is(err, redis.ErrClosed):
		return ErrClosed
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &network):
		return fmt.Errorf("%w: %w", ErrUnavailable, &unknownError{err})
	}
	return err
}

func classifyReply(err error) error {
	msg := err.Error()
	for _, refusal := range []string{
		"MOVED", "ASK ", // given up following
		"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "BUSY ", "MISCONF", "OOM ",
		"ERR max number of clients",
	} {
		if strings.HasPrefix(msg, refusal) {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	if strings.HasPrefix(msg, "NOGROUP") || strings.HasPrefix(msg, "UNBLOCKED") {
		return fmt.Errorf("%w: %w", ErrNoGroup, err)
	}
	return err
}
