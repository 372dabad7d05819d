package eventstore

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/leanmq/leanmq/internal/store"
)

// ReadType returns the events of the log whose type matches the pattern, behind a
// position ("" for all), in the order of the log, up to the last one there is when it
// begins: whoever goes on behind the last event that it got misses none. Of the words of
// a pattern "*" matches one, and "#" any number: "order.*" matches "order.paid" and
// "order.#" that and "order.item.added" and "order". It reads from an index, so that
// other events cost nothing.
//
// An error ends it. One that misses an event is a [*MissingError].
func (s *Store) ReadType(ctx context.Context, pattern, after string) iter.Seq2[*Event, error] {
	fail := func(err error) error { return s.wrap("read type", pattern, err) }
	return func(yield func(*Event, error) bool) {
		m, err := s.mergeTypes(ctx, pattern, after)
		if err != nil {
			yield(nil, fail(err))
			return
		}
		for {
			ids, err := m.next(ctx, page)
			if err != nil {
				yield(nil, fail(err))
				return
			}
			found, err := s.log.Fetch(ctx, ids)
			if !s.yieldAll(yield, found, err, fail) || len(ids) == 0 {
				return
			}
		}
	}
}

// types are those that match a pattern, sorted.
func (s *Store) types(ctx context.Context, pattern string) ([]string, error) {
	if s.err != nil {
		return nil, s.err
	}
	if pattern == "" || len(pattern) > 256 || strings.Contains("."+pattern+".", "..") {
		return nil, invalid("type pattern", `%.40q is malformed: want words with dots between them, such as "order.*"`, pattern)
	}
	all, err := s.log.TypeNames(ctx)
	if err != nil {
		return nil, err
	}
	words := strings.Split(pattern, ".")
	all = slices.DeleteFunc(all, func(t string) bool { return !store.TypeMatches(words, strings.Split(t, ".")) })
	slices.Sort(all)
	return all, nil
}

// merge puts the indexes of several types in the order of the log. They are not read at
// the same moment: what came meanwhile may be in some of them and not in others, and is
// left for the next time.
type merge struct {
	s     *Store
	last  string // where the log ended
	types []*typeIndex
}

// typeIndex is where reading an index has come to.
type typeIndex struct {
	name string
	at   int64    // of what was not read yet
	ids  []string // read, and not handed out yet
	done bool
}

func (s *Store) mergeTypes(ctx context.Context, pattern, after string) (*merge, error) {
	if err := s.checkPosition(after); err != nil {
		return nil, err
	}
	_, last, _, err := s.log.Ends(ctx) // before the names of the types
	if err != nil {
		return nil, err
	}
	names, err := s.types(ctx, pattern)
	if err != nil {
		return nil, err
	}
	m := &merge{s: s, last: last}
	for _, name := range names {
		t := &typeIndex{name: name}
		if after != "" {
			if t.at, err = s.log.SeekType(ctx, name, after); err != nil {
				return nil, err
			}
		}
		m.types = append(m.types, t)
	}
	return m, nil
}

// next returns the positions of up to n events.
func (m *merge) next(ctx context.Context, n int) (ids []string, err error) {
	for len(ids) < n {
		var first *typeIndex
		for _, t := range m.types {
			if err := m.fill(ctx, t); err != nil {
				return nil, err
			}
			if len(t.ids) > 0 && (first == nil || store.Before(t.ids[0], first.ids[0])) {
				first = t
			}
		}
		if first == nil || store.Before(m.last, first.ids[0]) {
			break
		}
		ids, first.ids = append(ids, first.ids[0]), first.ids[1:]
	}
	return ids, nil
}

func (m *merge) fill(ctx context.Context, t *typeIndex) (err error) {
	if len(t.ids) > 0 || t.done {
		return nil
	}
	if t.ids, err = m.s.log.OfType(ctx, t.name, t.at, page); err != nil {
		return err
	}
	t.at += int64(len(t.ids))
	t.done = len(t.ids) < page
	return nil
}
