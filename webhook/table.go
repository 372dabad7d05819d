package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

const (
	// tableAge is how old a cached route table may be when no notice came: a
	// safety net for lost ones.
	tableAge = 30 * time.Second
	// missAge is how old it may be to answer that there is no route.
	missAge = 100 * time.Millisecond
)

// Route is an entry of the route table.
type Route struct {
	Pattern string
	Service string
	Queue   *leanmq.Queue
}

// table caches the route table of a client's Redis.
type table struct {
	mq      *leanmq.Client
	changes atomic.Int64 // that we heard of
	current atomic.Pointer[snapshot]
	loading chan struct{} // holds one while somebody loads
}

// snapshot is the route table at one time. It is not changed once made.
type snapshot struct {
	tree    tree[*Route]
	routes  []*Route
	version int64
	changes int64 // heard of before it was read
	at      time.Time

	// lost is the route table before Redis lost it, for a while: the services
	// serve its routes still, and are about to register them again.
	lost   *snapshot
	lostAt time.Time
}

func (s *snapshot) match(method, path string) (*Route, bool) {
	r, _, ok := s.tree.match(method, path)
	if !ok && s.lost != nil {
		r, _, ok = s.lost.tree.match(method, path)
	}
	return r, ok
}

// follow compares the snapshot with the one before and reports whether Redis has
// lost the route table in between: its version only grows.
func (s *snapshot) follow(old *snapshot) (lost bool) {
	switch {
	case old == nil:
	case old.lost != nil && s.at.Sub(old.lostAt) < tableAge:
		s.lost, s.lostAt = old.lost, old.lostAt
	case s.version < old.version:
		s.lost, s.lostAt = old, s.at
		return true
	}
	return false
}

type tableKey struct{}

// tableOf returns the table that all users of a client share.
func tableOf(mq *leanmq.Client) *table {
	return mq.Shared(tableKey{}, func() any {
		t := &table{mq: mq, loading: make(chan struct{}, 1)}
		mq.OnNotice(func(notice string) {
			if notice == "" || notice == "routes" {
				t.changes.Add(1)
			}
		})
		return t
	}).(*table)
}

// Lookup finds the route for a request. Without one the error is a [*Problem]
// with status 404, or 405 that tells the methods there are.
func Lookup(ctx context.Context, mq *leanmq.Client, method, path string) (*Route, error) {
	t := tableOf(mq)
	snap, err := t.get(ctx, tableAge)
	if err != nil {
		return nil, err
	}
	if r, ok := snap.match(method, path); ok {
		return r, nil
	}
	if snap, err = t.get(ctx, missAge); err != nil {
		return nil, err
	}
	if r, ok := snap.match(method, path); ok {
		return r, nil
	}
	if allow := snap.tree.methods(path); len(allow) > 0 {
		p := NewProblem(http.StatusMethodNotAllowed, "%s has no %s; it has %s", path, method, strings.Join(allow, ", "))
		p.Allow = allow
		return nil, p
	}
	return nil, NotFound("no service has registered %s", path)
}

// Routes lists the route table.
func Routes(ctx context.Context, mq *leanmq.Client) ([]*Route, error) {
	snap, err := tableOf(mq).get(ctx, 0)
	if err != nil {
		return nil, err
	}
	return snap.routes, nil
}

// get returns a snapshot that is not older than age. When Redis fails, an old one
// is better than none.
func (t *table) get(ctx context.Context, age time.Duration) (*snapshot, error) {
	if snap := t.current.Load(); t.fresh(snap, age) {
		return snap, nil
	}
	select {
	case t.loading <- struct{}{}:
		defer func() { <-t.loading }()
	case <-ctx.Done(): // whoever loads may have more time than we
		return nil, &leanmq.Error{Op: "read routes", Err: fmt.Errorf("%w: %w", leanmq.ErrUnavailable, context.Cause(ctx))}
	}
	old := t.current.Load()
	if t.fresh(old, age) {
		return old, nil
	}
	changes := t.changes.Load()
	snap, err := t.load(ctx)
	if err != nil {
		if old != nil && errors.Is(err, leanmq.ErrUnavailable) {
			return old, nil
		}
		return nil, err
	}
	snap.changes = changes
	if snap.follow(old) {
		_ = t.mq.Store().Notify(ctx, "lost") // or the services find out by themselves
	}
	t.current.Store(snap)
	return snap, nil
}

func (t *table) fresh(snap *snapshot, age time.Duration) bool {
	return snap != nil && snap.changes == t.changes.Load() && time.Since(snap.at) < age
}

func (t *table) load(ctx context.Context) (*snapshot, error) {
	entries, version, err := t.mq.Store().Routes(ctx)
	if err != nil {
		return nil, &leanmq.Error{Op: "read routes", Err: err}
	}
	snap := &snapshot{at: time.Now()}
	snap.version, _ = strconv.ParseInt(version, 10, 64)
	for _, owner := range entries {
		service, text, _ := strings.Cut(owner, " ")
		p, err := parsePattern(text)
		if err != nil {
			continue // from a newer version, whose own senders know it
		}
		r := &Route{Pattern: p.String(), Service: service, Queue: t.mq.Queue(queueOf(service, p))}
		if snap.tree.add(p, r) == nil {
			snap.routes = append(snap.routes, r)
		}
	}
	return snap, nil
}
