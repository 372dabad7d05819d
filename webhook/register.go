package webhook

import (
	"context"
	"fmt"
	"strconv"

	"github.com/leanmq/leanmq/leanmq"
)

// TakenError says that a pattern belongs to another service.
type TakenError struct {
	Pattern, Service string // that Run wanted to register, and for whom
	Owner, Existing  string // who has it, or the one it conflicts with
	Why              string
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("webhook: pattern %q of service %q conflicts with pattern %q of service %q: %s; "+
		"if %q has given that up, take it out with webhook.RemoveRoute",
		e.Pattern, e.Service, e.Existing, e.Owner, e.Why, e.Owner)
}

// publish puts the service's patterns into the route table. It writes only if
// the table is still the one that was checked for conflicts.
func (s *Service) publish(ctx context.Context) error {
	t := tableOf(s.mq)
	for {
		t.changes.Add(1)
		snap, err := t.get(ctx, tableAge)
		if err != nil {
			return err
		}
		fresh, err := s.missing(snap)
		if err != nil || len(fresh) == 0 {
			return err
		}
		ok, err := s.mq.Store().PublishRoutes(ctx, strconv.FormatInt(snap.version, 10), fresh)
		if err != nil {
			return &leanmq.Error{Op: "publish routes", Err: err}
		}
		if ok {
			t.changes.Add(1)
			return nil
		}
	}
}

// missing returns the entries that the table lacks.
func (s *Service) missing(snap *snapshot) (map[string]string, error) {
	known := make(map[string]*Route, len(snap.routes))
	for _, r := range snap.routes {
		if r.Service == s.name {
			known[r.Pattern] = r
		}
	}
	fresh := map[string]string{}
	for _, rt := range s.routes {
		if known[rt.pattern.String()] != nil {
			continue
		}
		for _, r := range snap.routes {
			other, err := parsePattern(r.Pattern)
			if err != nil {
				continue
			}
			why := conflict(other, rt.pattern)
			renamed := r.Service == s.name && other.queueName() == rt.pattern.queueName()
			if why != "" && !renamed {
				return nil, &TakenError{
					Pattern: rt.pattern.String(), Service: s.name,
					Owner: r.Service, Existing: r.Pattern, Why: why,
				}
			}
		}
		fresh[rt.pattern.queueName()] = s.name + " " + rt.pattern.String()
	}
	return fresh, nil
}

// RemoveRoute takes a pattern out of the route table: what is sent to its paths
// from then on is parked. Messages in its queue stay there. Use it when a service
// has given a path up for good: one that still runs with it registers it again.
func RemoveRoute(ctx context.Context, mq *leanmq.Client, pattern string) error {
	p, err := parsePattern(pattern)
	if err != nil {
		return err
	}
	for {
		_, version, err := mq.Store().Routes(ctx)
		if err != nil {
			return &leanmq.Error{Op: "remove route", Err: err}
		}
		ok, err := mq.Store().PublishRoutes(ctx, version, map[string]string{p.queueName(): ""})
		if err != nil {
			return &leanmq.Error{Op: "remove route", Err: err}
		}
		if ok {
			tableOf(mq).changes.Add(1)
			return nil
		}
	}
}
