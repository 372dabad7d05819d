package store

import "context"

// SetTypes sets which types of a topic's messages a group gets, by patterns that have
// been checked; without any it gets all.
func (q *Queue) SetTypes(ctx context.Context, patterns []string) error {
	return q.setControl(ctx, "types", Pack(patterns...))
}
