package eventstore

import (
	"context"
	"errors"
	"iter"

	"github.com/leanmq/leanmq/internal/store"
)

// page is how many events are read at once: all that an iterator holds.
const page = 100

// Read returns the events of an aggregate behind a version, 0 for all, up to the last
// one there is. Events that are appended meanwhile may be among them. It reads 100
// events at a time.
//
// An error ends it. One that misses an event is a [*MissingError].
func (s *Store) Read(ctx context.Context, aggregate string, after int64) iter.Seq2[*Event, error] {
	fail := func(err error) error { return s.wrap("read", aggregate, err) }
	return func(yield func(*Event, error) bool) {
		err := s.check(aggregate)
		if err == nil && after < 0 {
			err = invalid("version", "is %d: want 0 or more", after)
		}
		if err != nil {
			yield(nil, fail(err))
			return
		}
		for at := after; ; at += page {
			found, err := s.log.OfAggregate(ctx, aggregate, at, page)
			if !s.yieldAll(yield, found, err, fail) || len(found) < page {
				return
			}
		}
	}
}

// ReadAll returns the events of the log behind a position, "" for all, up to the last one
// there is. Events that are appended meanwhile may be among them. It reads 100 events at
// a time.
//
// An error ends it. A position at which there is no event is a [*PositionError].
func (s *Store) ReadAll(ctx context.Context, after string) iter.Seq2[*Event, error] {
	fail := func(err error) error { return s.wrap("read all", "", err) }
	return func(yield func(*Event, error) bool) {
		if err := s.checkPosition(after); err != nil {
			yield(nil, fail(err))
			return
		}
		for at := after; ; {
			found, err := s.after(ctx, at, page)
			if !s.yieldAll(yield, found, err, fail) || len(found) < page {
				return
			}
			at = found[len(found)-1].Entry
		}
	}
}

// yieldAll hands out a page, and then the error behind it. It reports whether to go on.
func (s *Store) yieldAll(yield func(*Event, error) bool, found []store.Entry, err error, fail func(error) error) bool {
	for i := range found {
		if !yield(s.newEvent(&found[i]), nil) {
			return false
		}
	}
	if err != nil {
		yield(nil, fail(missing(err)))
		return false
	}
	return true
}

func missing(err error) error {
	var gone *store.MissingError
	if errors.As(err, &gone) {
		return &MissingError{Position: gone.Entry}
	}
	return err
}

// after reads up to n events behind a position.
func (s *Store) after(ctx context.Context, position string, n int) ([]store.Entry, error) {
	found, err := s.log.After(ctx, position, n)
	if !errors.Is(err, store.ErrNoPosition) {
		return found, err
	}
	first, last, events, err := s.log.Ends(ctx)
	if err != nil {
		return nil, err
	}
	return nil, &PositionError{Position: position, First: first, Last: last, Events: events}
}

func (s *Store) checkPosition(p string) error {
	if s.err != nil {
		return s.err
	}
	if p != "" && !store.IsEntryID(p) {
		return invalid("position", `%.40q is malformed: want that of an event, such as "1732221234567-0", or ""`, p)
	}
	return nil
}
