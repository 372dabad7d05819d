package outbox

import (
	"context"
	"time"
)

// Info says how an outbox stands.
type Info struct {
	Waiting int           `json:"waiting"` // rows to be sent
	Stuck   int           `json:"stuck"`   // rows that are not tried any more
	Lag     time.Duration `json:"lag"`     // age of the oldest waiting row
}

// Info counts the rows of the outbox now: those that are committed, and those of the
// transaction that db may be. It reads the whole table, which is small unless the
// relays are behind.
func (b *Box) Info(ctx context.Context, db DB) (i Info, err error) {
	if b.err != nil {
		return i, b.err
	}
	rows, err := db.QueryContext(ctx, b.table.info())
	if err != nil {
		return i, b.wrap("count", "", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var lag int64
		if err := rows.Scan(&i.Waiting, &i.Stuck, &lag); err != nil {
			return i, b.wrap("count", "", err)
		}
		i.Lag = time.Duration(max(lag, 0)) * time.Millisecond
	}
	return i, b.wrap("count", "", rows.Err())
}
