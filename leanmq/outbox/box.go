package outbox

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"sync"
	"time"

	"github.com/leanmq/leanmq/internal/store"
	"github.com/leanmq/leanmq/leanmq"
)

// Box is an outbox: a table whose rows are messages to be sent. It costs nothing
// and is safe for concurrent use.
type Box struct {
	table table
	err   error // of an option: every use returns it

	mu     sync.Mutex
	relays map[chan struct{}]bool // kicked when there is something to look at
}

// ofTopic stands before the name of a topic where that of a queue could stand, too: no
// queue's name begins with it, because the second part would begin with a space.
const ofTopic = "topic: "

// An Option configures a Box.
type Option func(*Box)

// Table sets the table's name: up to 40 letters, digits and underscores, not
// beginning with a digit, with a schema's name and a dot before it or not. It is case
// sensitive. Default "leanmq_outbox", where the search path finds it.
func Table(name string) Option {
	return func(b *Box) {
		if b.table, b.err = parseTable(name); b.err != nil {
			b.err = b.wrap("open", "", b.err)
		}
	}
}

// New returns the handle of an outbox.
func New(opts ...Option) *Box {
	b := &Box{table: table{name: "leanmq_outbox"}, relays: map[chan struct{}]bool{}}
	for _, o := range opts {
		o(b)
	}
	return b
}

// Tx is what Send writes through: a *sql.Tx, or a *sql.Conn on which a transaction
// was begun. A *sql.DB is one as well, but no transaction: the message is sent
// whatever becomes of anything else.
type Tx interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Send adds a message for the queue called name to the outbox and returns the id
// that it will have: the caller's [leanmq.ID], or one that is made up. It is sent
// when the transaction has committed, and never if it is rolled back.
//
// All options of [leanmq.Queue.Send] are good here, too, but for [leanmq.Replicas]; the
// package's documentation says what their times count from.
//
// Errors: [leanmq.ErrInvalid] and nothing was written, [ErrNoTable], or what the
// database said. After one of the database's the transaction can only be rolled back.
func (b *Box) Send(ctx context.Context, tx Tx, name string, payload []byte, opts ...leanmq.SendOption) (id string, err error) {
	if b.err != nil {
		return "", b.err
	}
	m, queue, err := leanmq.Stored(name, payload, opts...)
	if err != nil {
		return "", b.wrap("send", "", err)
	}
	return b.add(ctx, tx, "send", queue, payload, &m)
}

// Publish is Send for the topic called name. The id that it returns is the message's for
// all groups, and not its place in the topic: [leanmq.FromID] does not know it.
//
// The options of [leanmq.Topic.Publish] are good here, too, but for [leanmq.Replicas].
// Those that topics refuse are refused here, and nothing is written.
func (b *Box) Publish(ctx context.Context, tx Tx, name string, payload []byte, opts ...leanmq.SendOption) (id string, err error) {
	if b.err != nil {
		return "", b.err
	}
	m, topic, err := leanmq.StoredPublish(name, payload, opts...)
	if err != nil {
		return "", b.wrap("publish", "", err)
	}
	return b.add(ctx, tx, "publish", ofTopic+topic, payload, &m)
}

// add adds a row.
func (b *Box) add(ctx context.Context, tx Tx, op, queue string, payload []byte, m *store.Stored) (id string, err error) {
	row := newID()
	if payload == nil {
		payload = []byte{} // nil is NULL
	}
	var lane []byte
	if m.Envelope.OrderKey != "" {
		lane = []byte(m.Envelope.OrderKey)
	}
	if _, err := tx.ExecContext(ctx, b.table.insert(), row, queue, lane, payload, m.Options()); err != nil {
		return "", b.wrap(op, row, err)
	}
	if m.Envelope.ID != "" {
		return m.Envelope.ID, nil
	}
	return row, nil
}

// newID names a row. It begins with the time, as ids of entries do: of messages that
// become due at the same moment the one with the smaller id comes first.
func newID() string { return fmt.Sprintf("%016x%s", time.Now().UnixNano(), rand.Text()[:16]) }

// Kick has the relays of this Box in this process look now. Call it after a commit
// to save the wait for the next poll.
func (b *Box) Kick() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.relays {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

func (b *Box) listen() (kicked chan struct{}, stop func()) {
	kicked = make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.relays[kicked] = true
	return kicked, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.relays, kicked)
	}
}

// Schema returns the SQL statements that make the table and its indexes where they
// are not there yet, for those who migrate databases by other means than Create.
// Who only sends needs the right to INSERT; a relay needs SELECT, UPDATE and DELETE.
func (b *Box) Schema() (string, error) {
	if b.err != nil {
		return "", b.err
	}
	text := ""
	for _, statement := range b.table.schema() {
		text += statement + ";\n"
	}
	return text, nil
}

// Create makes the table and its indexes where they are not there yet. Any number of
// processes may call it at once.
func (b *Box) Create(ctx context.Context, db *sql.DB) error {
	if b.err != nil {
		return b.err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return b.wrap("create", "", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	for _, statement := range append([]string{createLock}, b.table.schema()...) {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return b.wrap("create", "", err)
		}
	}
	return b.wrap("create", "", tx.Commit())
}
