package leanmq

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

// DeadLetter is a message that was given up, with the story of its failure. Its
// payload and headers are those that were sent. A payload that this client lacks
// the key of (see [Encrypt]) is shown as it is stored, with the header
// ":encoding"; so it is in Waiting and Scheduled.
type DeadLetter struct {
	// Letter names the dead letter among those of its queue. It sorts by time of
	// death.
	Letter string
	// Message is the message itself. Attempt is the number of failed ones, and
	// History tells of the last of them.
	Message Message
	// Reason is one of the Reason constants.
	Reason string
	// Error is the last error, and for a panic its stack.
	Error string
	// FirstFailed and LastFailed are times of the server's clock.
	FirstFailed, LastFailed time.Time
}

// DeadLetters iterates over the dead letters, oldest first, without consuming
// them. It reads in pages, so that any number of them takes little memory. An
// error ends the iteration.
func (q *Queue) DeadLetters(ctx context.Context) iter.Seq2[*DeadLetter, error] {
	return func(yield func(*DeadLetter, error) bool) {
		pages(ctx, q, "dead letters", q.sq.DeadLetters, func(e *store.Entry) bool {
			return yield(newDeadLetter(q, e), nil)
		}, func(err error) { yield(nil, err) })
	}
}

func newDeadLetter(q *Queue, e *store.Entry) *DeadLetter {
	d := &DeadLetter{
		Letter: e.Entry, Message: *q.show(e), Reason: e.Reason, Error: e.Error,
		FirstFailed: time.UnixMilli(e.FirstFailed), LastFailed: time.UnixMilli(e.LastFailed),
	}
	d.Message.Attempt = e.Attempts
	return d
}

// DeadLetter returns the dead letter with this name, or [ErrNotFound].
func (q *Queue) DeadLetter(ctx context.Context, letter string) (*DeadLetter, error) {
	if q.err != nil {
		return nil, q.wrap("dead letter", letter, q.err)
	}
	if err := checkLetters(letter); err != nil {
		return nil, q.wrap("dead letter", "", err)
	}
	e, err := q.sq.DeadLetter(ctx, letter)
	if err != nil {
		return nil, q.wrap("dead letter", letter, err)
	}
	if e == nil {
		return nil, q.wrap("dead letter", letter, ErrNotFound)
	}
	return newDeadLetter(q, e), nil
}

// Requeue sends dead letters again, each atomically and exactly once: as new
// messages with the same ID, payload and headers and all attempts before them.
// It returns how many there were; if some were not, [ErrNotFound] as well.
func (q *Queue) Requeue(ctx context.Context, letters ...string) (int, error) {
	if q.err != nil {
		return 0, q.wrap("requeue", "", q.err)
	}
	if err := checkLetters(letters...); err != nil {
		return 0, q.wrap("requeue", "", err)
	}
	moved, err := q.sq.RequeueEach(ctx, letters)
	n := 0
	var missing []string
	for i, ok := range moved {
		if ok {
			n++
		} else {
			missing = append(missing, letters[i])
		}
	}
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("%w: dead letter %s", ErrNotFound, strings.Join(missing, ", "))
	}
	return n, q.wrap("requeue", "", err)
}

// RequeueAll sends all dead letters again that are there when it begins, oldest
// first, and returns how many. It can be interrupted and repeated at any point.
func (q *Queue) RequeueAll(ctx context.Context) (int, error) {
	if q.err != nil {
		return 0, q.wrap("requeue", "", q.err)
	}
	last, err := q.sq.LastDead(ctx)
	if err != nil || last == "" {
		return 0, q.wrap("requeue", "", err)
	}
	total := 0
	for {
		n, _, err := q.sq.Requeue(ctx, "-", last, pageSize)
		total += n
		if err != nil || n < pageSize {
			return total, q.wrap("requeue", "", err)
		}
	}
}

// PurgeDead deletes the named dead letters for good and returns how many there
// were.
func (q *Queue) PurgeDead(ctx context.Context, letters ...string) (n int64, err error) {
	if q.err != nil {
		return 0, q.wrap("purge", "", q.err)
	}
	if err := checkLetters(letters...); err != nil {
		return 0, q.wrap("purge", "", err)
	}
	if len(letters) > 0 {
		n, err = q.sq.DeleteDead(ctx, letters)
	}
	return n, q.wrap("purge", "", err)
}

// PurgeAllDead deletes all dead letters for good that are there when it begins,
// and returns how many.
func (q *Queue) PurgeAllDead(ctx context.Context) (n int64, err error) {
	if q.err != nil {
		return 0, q.wrap("purge", "", q.err)
	}
	last, err := q.sq.LastDead(ctx)
	if err == nil && last != "" {
		n, err = q.sq.PurgeDead(ctx, last)
	}
	return n, q.wrap("purge", "", err)
}

func checkLetters(letters ...string) error {
	for _, l := range letters {
		if !store.IsEntryID(l) {
			return invalid("letter", "%.40q is no dead letter's name: it looks like 1700000000000-0", l)
		}
	}
	return nil
}
