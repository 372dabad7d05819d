// Package outbox sends and publishes messages from inside an SQL transaction: they are
// sent if it commits, and not if it does not.
//
// A [Box] is a table. [Box.Send] adds a row to it in the caller's transaction,
// which needs no Redis, and [Box.Publish] does so for topics. A relay ([Box.Relay])
// moves the rows to their queues and topics.
//
//	box := outbox.New()
//	err := box.Create(ctx, db)
//
//	tx, err := db.BeginTx(ctx, nil)
//	_, err = tx.ExecContext(ctx, "INSERT INTO orders …")
//	id, err := box.Send(ctx, tx, "emails", payload, leanmq.Delay(time.Minute))
//	id, err = box.Publish(ctx, tx, "shop:events", event, leanmq.Type("order.created"))
//	err = tx.Commit()
//	box.Kick() // optional: the relay of this process looks now
//
//	err = box.Relay(ctx, db, mq) // somewhere, in one or several processes
//
// The database is PostgreSQL 12 or newer, through any database/sql driver; it is
// tested with pgx's.
//
// # What is promised
//
// What is said of queues and their messages holds for topics as well.
//
// Loss: a row leaves the table when Redis has accepted its message, or when
// somebody discards it. What Redis has accepted is as safe as its persistence is
// (see package leanmq).
//
// Once: a relay may crash, be killed, lose a connection or the reply to any command:
// its rows stay, are sent again under the same name, and Redis refuses those that
// it has. Redis remembers the name of a message for 30 days, and once the row's
// deletion is committed for an hour more ([Remember]). So a message is in its queue
// once, but for these cases, which are all there are:
//
//   - A relay that stands still between its last look at the clock and the write to
//     Redis, for longer than Remember, while another one takes over. It sends
//     nothing that it has read more than 10 s ago; so this takes a machine
//     that is suspended at that very moment.
//   - Redis loses what it had, or PostgreSQL loses a committed deletion, as a
//     fail-over to a replica that lags can: then what is sent again later than
//     Remember, or to the Redis without a memory, is doubled.
//   - A row that is older than 29 days is not sent, because it can no longer be
//     told whether it was: it is stuck ([Box.Stuck]), and who retries it decides.
//
// Handlers see a message again after crashes of workers, as always.
//
// Order: the rows of a queue are sent in the order of their Sends, as far as there
// is one: seq is drawn when the row is added, and a row is seen when its transaction
// commits. Of two transactions that overlap either may come first, and none is
// passed over for ever. Rows with the same [leanmq.OrderingKey] keep that order
// whatever fails: the next one is sent when Redis has the one before it, or that is
// stuck. Where the order of two transactions matters, have both lock something
// first, such as the row of the order that the messages are about.
//
// Time: a [leanmq.Delay] and a [leanmq.TTL] count from Send, by the clock of
// PostgreSQL; what is left of them when the row is moved counts on, by that of Redis.
// Everything else that counts from the send, such as [leanmq.Dedupe],
// [leanmq.UniqueFor] and [leanmq.RetryPolicy].MaxAge, begins when the row is moved.
// What these then refuse as a duplicate is dropped, as [leanmq.ErrDuplicate] would
// be: Send cannot know.
//
// Trouble: while PostgreSQL or Redis is away, relays wait, and log one line for the
// outage and one for its end. A queue that is full ([leanmq.MaxLen]) is left alone
// for a second at a time; the others go on. A row that fails by itself is tried
// 10 times in a quarter of an hour, and is stuck then; one that can never be sent is
// stuck at once. Stuck rows hold nobody up, and stay until somebody calls
// [Box.Retry] or [Box.Discard].
//
// Relays: run as many as you like, for when one dies. They take turns, a batch each,
// by an advisory lock, instead of sharing the rows with SKIP LOCKED: only so is the
// order kept, and one at a time moves more than 10,000 rows a second. The lock
// belongs to the batch's transaction: it is free when that ends, also behind a
// connection pooler, and PostgreSQL ends it when the relay is not heard of for 30 s.
//
// Latency: a relay looks every 500 ms ([Poll]), and at once after [Box.Kick] in its
// own process. LISTEN would save the looking, but is not in database/sql.
//
// The payload lies in the table as it was given to Send. What the relay's client
// does to messages (leanmq.Encrypt, Compress, UseSend, hooks) happens when the row is
// moved; so headers that come from a context, as those of traces, must be given to
// Send by [leanmq.WithHeader].
package outbox
