package eventstore

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// Projection says how a projection fares.
type Projection struct {
	Name string `json:"name"`
	// Position is that of the last event that was handled and committed; "" for none.
	Position string `json:"position"`
	Handled  int64  `json:"handled"` // events until there
	Lag      int64  `json:"lag"`     // events behind it
	// Owner names the process that runs it; "" if none does.
	Owner       string    `json:"owner"`
	CommittedAt time.Time `json:"committed_at"` // zero if it never was
	// LastError is why it stands still, or "". Failed is the event that it was, if it was
	// one, and Attempts how often that was tried by who runs it now.
	LastError string `json:"last_error"`
	Failed    string `json:"failed"`
	Attempts  int    `json:"attempts"`
}

// Projection returns how a projection fares. One that never ran is leanmq.ErrNotFound.
func (s *Store) Projection(ctx context.Context, name string) (Projection, error) {
	p, err := s.projection(ctx, name)
	return p, s.wrap("projection", name, err)
}

// Projections returns how all projections that ever ran fare, sorted by name.
func (s *Store) Projections(ctx context.Context) ([]Projection, error) {
	if s.err != nil {
		return nil, s.wrap("projections", "", s.err)
	}
	names, err := s.log.ProjectionNames(ctx)
	if err != nil {
		return nil, s.wrap("projections", "", err)
	}
	all := make([]Projection, len(names))
	for i, name := range names {
		if all[i], err = s.projection(ctx, name); err != nil {
			return nil, s.wrap("projection", name, err)
		}
	}
	return all, nil
}

func (s *Store) projection(ctx context.Context, name string) (Projection, error) {
	p := Projection{Name: name}
	if err := s.checkProjection(name); err != nil {
		return p, err
	}
	state, err := s.log.ProjectionState(ctx, name)
	if err != nil {
		return p, err
	}
	f := state.Fields
	if len(f) == 0 {
		return p, fmt.Errorf("%w: no projection has this name", leanmq.ErrNotFound)
	}
	number := func(field string) int64 {
		n, _ := strconv.ParseInt(f[field], 10, 64)
		return n
	}
	p.Position, p.Handled, p.LastError = f["position"], number("handled"), f["error"]
	p.Lag = max(state.Events-p.Handled, 0)
	if number("until") > state.Now.UnixMilli() {
		p.Owner = f["owner"]
	}
	if at := number("at"); at > 0 {
		p.CommittedAt = time.UnixMilli(at)
	}
	if p.LastError != "" {
		p.Failed, p.Attempts = f["failed"], int(number("attempts"))
	}
	return p, nil
}

// ResetProjection lets a projection begin again with the first event, to replay the log.
// Who runs it hears of it within a third of its [Lease] and begins anew; until then it can
// commit nothing. What the projection has written is the caller's to delete. One that
// never ran is leanmq.ErrNotFound.
func (s *Store) ResetProjection(ctx context.Context, name string) error {
	return s.wrap("reset projection", name, s.change(ctx, name, s.log.ResetProjection))
}

// DeleteProjection forgets a projection that is not used any more. One that never ran is
// leanmq.ErrNotFound. Who still runs it begins anew, as a new one: so stop it first.
func (s *Store) DeleteProjection(ctx context.Context, name string) error {
	return s.wrap("delete projection", name, s.change(ctx, name, s.log.DeleteProjection))
}

func (s *Store) change(ctx context.Context, name string, do func(context.Context, string) (bool, error)) error {
	if err := s.checkProjection(name); err != nil {
		return err
	}
	found, err := do(ctx, name)
	if err == nil && !found {
		err = fmt.Errorf("%w: no projection has this name", leanmq.ErrNotFound)
	}
	if err == nil {
		_ = s.mq.Store().Notify(ctx, noticeFree)
	}
	return err
}
