package leanmq

import (
	"cmp"
	"context"
)

// Published is a message of a topic, as [Topic.Read] shows it.
type Published struct {
	Message Message
	After   Position // behind it: where to read on
}

// Read returns up to n (1 to 10000) messages of the topic from p on, without a group
// and without changing anything. There are fewer, or none, at the end. It fails with a
// *[PositionError] when messages from p on have been trimmed, so that whoever reads
// page by page notices a gap.
func (t *Topic) Read(ctx context.Context, p Position, n int) ([]Published, error) {
	if err := cmp.Or(t.err, p.err, checkCount(n)); err != nil {
		return nil, t.wrap("read", err)
	}
	entries, err := t.st.Read(ctx, p.start(), n)
	out := make([]Published, len(entries))
	for i := range entries {
		out[i] = Published{Message: *t.q.show(&entries[i]), After: AfterID(entries[i].Entry)}
	}
	return out, t.wrap("read", p.positionError(err))
}
