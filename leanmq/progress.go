package leanmq

import (
	"context"
	"time"
)

const (
	// progressFor is how long a note of progress outlives the last one.
	progressFor = 24 * time.Hour
	maxProgress = 8 << 10
)

// Progress leaves a note about how far the handler has come, at most 8 KiB, for
// [Queue.InFlight] and for a later attempt ([Message.LastProgress]). It replaces the
// note before, costs a round trip, and is gone when the message is done or dead, or
// 24 hours after the last note. [ErrLeaseLost] means that this is not a message that
// is being handled.
func (m *Message) Progress(ctx context.Context, note string) error {
	if len(note) > maxProgress {
		return wrap("progress", m.Queue, m.ID, invalid("note", "has %d bytes: at most %d are allowed", len(note), maxProgress))
	}
	if m.source == nil {
		return wrap("progress", m.Queue, m.ID, ErrLeaseLost)
	}
	m.progressed = true
	return wrap("progress", m.Queue, m.ID, m.source.q.SetProgress(ctx, m.ID, note, progressFor))
}

// LastProgress returns the latest note, of this attempt or one before it; "" when
// there is none.
func (m *Message) LastProgress(ctx context.Context) (string, error) {
	if m.source == nil {
		return "", wrap("progress", m.Queue, m.ID, ErrLeaseLost)
	}
	note, err := m.source.q.ProgressOf(ctx, m.ID)
	return note, wrap("progress", m.Queue, m.ID, err)
}
