package eventstore

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/leanmq/leanmq/internal/store"
	"github.com/leanmq/leanmq/leanmq"
)

// Store is the handle of an event store. It costs nothing until it is used, and is safe
// for concurrent use.
type Store struct {
	mq   *leanmq.Client
	name string
	log  *store.Events
	once time.Duration
	err  error // of the name or an option: every use returns it
}

// An Option configures a store's handle.
type Option func(*Store)

// OnceFor sets how long [Store.AppendOnce] remembers an append: 1 s to 30 days.
// Default 24 h.
func OnceFor(d time.Duration) Option {
	return func(s *Store) {
		if d < time.Second || d > 30*24*time.Hour {
			s.err = invalid("OnceFor", "is %v: want 1s to 30 days", d)
		}
		s.once = d
	}
}

// New returns the store whose events are the messages of the topic called name: "name",
// or "tag:name", as for queues. A name out of bounds makes every use of it fail with
// leanmq.ErrInvalid.
func New(mq *leanmq.Client, name string, opts ...Option) *Store {
	s := &Store{mq: mq, name: name, once: 24 * time.Hour}
	s.log, s.err = mq.Store().Events(name)
	if s.err == nil {
		s.name = s.log.Name
	}
	for _, o := range opts {
		o(s)
	}
	return s
}

// Name returns the store's name, which is that of its topic.
func (s *Store) Name() string { return s.name }

// Tag returns the hash tag of the store's keys: those that a [Commit] writes to have it,
// too, as in "{bank}:balances".
func (s *Store) Tag() string {
	if s.log == nil {
		return ""
	}
	return s.log.Tag
}

// Version returns how many events an aggregate has; 0 if it does not exist.
func (s *Store) Version(ctx context.Context, aggregate string) (int64, error) {
	if err := s.check(aggregate); err != nil {
		return 0, s.wrap("version of", aggregate, err)
	}
	n, err := s.log.Version(ctx, aggregate)
	return n, s.wrap("version of", aggregate, err)
}

// Types returns the types of event that the log has, sorted.
func (s *Store) Types(ctx context.Context) ([]string, error) {
	names, err := s.types(ctx, "#")
	return names, s.wrap("types", "", err)
}

// check checks the store's handle and the name of an aggregate.
func (s *Store) check(aggregate string) error {
	if s.err != nil {
		return s.err
	}
	return checkText("aggregate", aggregate)
}

// checkText checks what becomes the last part of a key, so that it may hold anything.
func checkText(field, text string) error {
	if text == "" || len(text) > 256 || !utf8.ValidString(text) {
		return invalid(field, "%.40q has %d bytes: want 1 to 256 bytes of UTF-8", text, len(text))
	}
	return nil
}

func invalid(field, format string, args ...any) error {
	return &leanmq.InvalidError{Field: field, Rule: fmt.Sprintf(format, args...)}
}

// wrap says where err happened, unless it is nil.
func (s *Store) wrap(op, what string, err error) error {
	if err == nil {
		return nil
	}
	var name *store.NameError
	if errors.As(err, &name) {
		err = invalid("event store", "%q %s", name.Name, name.Reason)
	}
	if errors.Is(err, store.ErrRetention) {
		err = invalid("topic", "%q has a retention, which would take events away: set none (leanmq.Topic.SetRetention)", s.name)
	}
	if what != "" {
		op += fmt.Sprintf(" %q", what)
	}
	return fmt.Errorf("eventstore: %s in %q: %w", op, s.name, err)
}
