package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"
)

// turn is how one look at the table went.
type turn struct {
	busy     bool  // another relay is at it
	more     bool  // there may be more rows
	answered bool  // Redis did
	down     error // why it could not be told of all
}

// step is where tests let a relay fail: after what its name says.
var step = func(string) error { return nil }

// batch moves one batch. Its transaction holds the lock from before the rows are read
// until their deletion is committed. Whatever fails in between, the rows are there
// again, and Redis knows those that it has.
func (r *relay) batch(ctx context.Context) (t turn, err error) {
	// Until something may have been sent, ctx ends it; from then on it is finished.
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), batchLimit)
	defer cancel()
	interruptible := context.AfterFunc(ctx, cancel)
	defer interruptible()

	tx, err := r.db.BeginTx(own, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return t, err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing

	var mine bool
	var set string
	if err := tx.QueryRowContext(own, r.box.table.lock()).Scan(&mine, &set, &set); err != nil || !mine {
		return turn{busy: err == nil}, err
	}
	sending, done := context.WithTimeout(own, sendLimit)
	defer done()
	rows, full, err := r.read(own, tx)
	if err != nil || len(rows) == 0 {
		return t, err
	}
	if err := step("read"); err != nil {
		return t, err
	}
	if !interruptible() {
		return t, ctx.Err()
	}
	t = r.deliver(sending, rows)
	t.more = full
	if err := step("sent"); err != nil {
		return t, err
	}
	if err := r.settle(own, tx, rows); err != nil {
		return t, err
	}
	if err := step("settled"); err != nil {
		return t, err
	}
	if err := tx.Commit(); err != nil {
		return t, err
	}
	if err := step("committed"); err != nil {
		return t, err
	}
	r.forget(own, rows)
	return t, nil
}

// row is one message on its way.
type row struct {
	seq      int64
	id       string
	queue    string // or a topic: see ofTopic
	lane     []byte // nil without an ordering key
	payload  []byte
	options  []byte
	attempts int
	age      time.Duration
	old      bool // nobody knows whether it was sent

	fate fate
	err  error // of a failed one
}

type fate uint8

const (
	left    fate = iota // for another batch
	gone                // it is in its queue, or a duplicate
	failed              // tried again later
	doomed              // not tried again
	refused             // its queue is full
)

// read takes the next batch. full says that there may be more.
func (r *relay) read(ctx context.Context, tx *sql.Tx) (batch []*row, full bool, err error) {
	limit := r.size
	if r.redis.tries > 0 {
		limit = 1 // if it is this row that brings the connection down, it shows
	}
	var without []string
	now := time.Now()
	for name, until := range r.full {
		if now.Before(until) {
			without = append(without, name)
		}
	}
	rows, err := tx.QueryContext(ctx, r.box.table.read(), list(without), limit, batchBytes)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = rows.Close() }()
	bytes := 0
	for rows.Next() {
		var x row
		var age int64
		if err := rows.Scan(&x.seq, &x.id, &x.queue, &x.lane, &x.payload, &x.options, &x.attempts, &age, &x.old); err != nil {
			return nil, false, err
		}
		x.age = time.Duration(age) * time.Millisecond
		batch = append(batch, &x)
		bytes += len(x.payload)
	}
	return batch, len(batch) == limit || bytes >= batchBytes, rows.Err()
}

// failure is what table.fail wants to know.
type failure struct {
	Seq   int64  `json:"seq"`
	Error string `json:"error"`
	Stuck bool   `json:"stuck"`
	Wait  int64  `json:"wait_ms"`
}

// settle writes down what came of the rows.
func (r *relay) settle(ctx context.Context, tx *sql.Tx, rows []*row) error {
	var sent []int64
	var failures []failure
	for _, x := range rows {
		switch x.fate {
		case gone:
			sent = append(sent, x.seq)
		case failed:
			failures = append(failures, failure{x.seq, text(x.err), false, backoff(x.attempts).Milliseconds()})
		case doomed:
			failures = append(failures, failure{Seq: x.seq, Error: text(x.err), Stuck: true})
			r.mq.Log().Error().AnErr("error", x.err).Str("table", r.box.table.String()).Str("row", x.id).
				Str("queue", x.queue).Msg("a row of the outbox is stuck")
		}
	}
	if len(sent) > 0 {
		if _, err := tx.ExecContext(ctx, r.box.table.remove(), list(sent)); err != nil {
			return err
		}
	}
	if len(failures) > 0 {
		if _, err := tx.ExecContext(ctx, r.box.table.fail(), list(failures)); err != nil {
			return err
		}
	}
	return nil
}

// forget has Redis know what was sent for less long, now that it cannot be sent again.
// Where that fails it only costs memory.
func (r *relay) forget(ctx context.Context, rows []*row) {
	ids := map[string][]string{}
	for _, x := range rows {
		if x.fate == gone {
			ids[x.queue] = append(ids[x.queue], x.id)
		}
	}
	for name, ids := range ids {
		if err := r.queue(name).ForgetStored(ctx, ids, r.remember); err != nil {
			return
		}
	}
}

// list is a list as the statements take one.
func list[T any](of []T) string {
	if len(of) == 0 {
		return "[]"
	}
	b, err := json.Marshal(of)
	if err != nil {
		panic(err) // there is nothing in it that could not be encoded
	}
	return string(b)
}
