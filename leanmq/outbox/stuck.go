package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"iter"
	"strings"
	"time"

	"github.com/leanmq/leanmq/internal/store"
	"github.com/leanmq/leanmq/leanmq"
)

// DB is what outboxes are looked at through: a *sql.DB, *sql.Conn or *sql.Tx.
type DB interface {
	Tx
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Stuck is a row that is not tried any more.
type Stuck struct {
	Row     string // names the row; see Retry
	ID      string // the message's
	Queue   string // it is for
	Topic   string // it is for, instead of a queue
	Payload []byte
	// Header, Target and OrderingKey are those of the message, as far as they can be
	// read.
	Header      leanmq.Header
	Target      string
	OrderingKey string

	Error      string // why the last attempt failed
	Attempts   int    // that failed
	EnqueuedAt time.Time
	StuckAt    time.Time
}

const stuckPage = 100

// Stuck returns the rows that are not tried any more, the oldest first. It reads them
// by pages and keeps no connection between them: the loop may use db.
func (b *Box) Stuck(ctx context.Context, db DB) iter.Seq2[*Stuck, error] {
	return func(yield func(*Stuck, error) bool) {
		for last := int64(0); ; {
			page, err := b.stuckPage(ctx, db, &last)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, s := range page {
				if !yield(s, nil) {
					return
				}
			}
			if len(page) < stuckPage {
				return
			}
		}
	}
}

func (b *Box) stuckPage(ctx context.Context, db DB, last *int64) (page []*Stuck, err error) {
	if b.err != nil {
		return nil, b.err
	}
	rows, err := db.QueryContext(ctx, b.table.stuck(), *last, stuckPage)
	if err != nil {
		return nil, b.wrap("list stuck rows of", "", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var s Stuck
		var lane, options []byte
		if err := rows.Scan(last, &s.Row, &s.Queue, &lane, &s.Payload, &options, &s.Attempts, &s.Error, &s.EnqueuedAt, &s.StuckAt); err != nil {
			return nil, b.wrap("list stuck rows of", "", err)
		}
		s.ID, s.OrderingKey = s.Row, string(lane)
		if topic, ok := strings.CutPrefix(s.Queue, ofTopic); ok {
			s.Queue, s.Topic = "", topic
		}
		if m, err := store.UnpackStored(options, nil); err == nil {
			e := &m.Envelope
			if e.ID != "" {
				s.ID = e.ID
			}
			s.Target, s.Header = e.Target, leanmq.Header{}
			for i := 0; i+1 < len(e.Header); i += 2 {
				s.Header[e.Header[i]] = e.Header[i+1]
			}
		}
		page = append(page, &s)
	}
	return page, b.wrap("list stuck rows of", "", rows.Err())
}

// Retry lets stuck rows (their Stuck.Row) be tried again, at their old places, and
// returns how many there were. Ids of others are passed over.
//
// A row is sent under the name that it had: one that Redis has, because only the reply
// was lost, is not doubled. For one that is stuck because it is old, nobody knows:
// look first.
func (b *Box) Retry(ctx context.Context, db DB, rows ...string) (int, error) {
	n, err := b.onStuck(ctx, db, "retry", b.table.retry(), rows)
	if n > 0 {
		b.Kick()
	}
	return n, err
}

// Discard deletes stuck rows (their Stuck.Row) and returns how many there were. Ids of
// others are passed over.
func (b *Box) Discard(ctx context.Context, db DB, rows ...string) (int, error) {
	return b.onStuck(ctx, db, "discard", b.table.discard(), rows)
}

func (b *Box) onStuck(ctx context.Context, db DB, op, query string, ids []string) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(ids) == 0 {
		return 0, nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return 0, b.wrap(op, "", err)
	}
	done, err := db.ExecContext(ctx, query, string(list))
	if err != nil {
		return 0, b.wrap(op, "", err)
	}
	n, err := done.RowsAffected()
	return int(n), b.wrap(op, "", err)
}
