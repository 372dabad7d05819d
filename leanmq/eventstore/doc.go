// Package eventstore keeps the events of aggregates, in one log that others can follow.
//
// An aggregate is whatever changes as a whole, such as an account. Its state is what
// its events make of it, and each event has a version: 1, 2, 3, … Who wants to change
// it rebuilds the state, decides, and appends events on the condition that the version
// is still the one it saw:
//
//	bank := eventstore.New(mq, "bank")
//	account, version, err := eventstore.Load(ctx, bank, "account-7", (*Account).Apply)
//	…
//	_, err = bank.Append(ctx, "account-7", eventstore.Exactly(version),
//		eventstore.NewEvent{Type: "withdrawn", Data: Moved{Cents: 500}})
//	if errors.Is(err, eventstore.ErrConflict) {
//		// somebody was faster: load it again, and decide again
//	}
//
// A projection turns the log into something to ask, such as the balances of all
// accounts, and goes on where it stopped:
//
//	err = bank.Project(ctx, "balances", func(ctx context.Context, ev *eventstore.Event, commit *eventstore.Commit) error {
//		…
//	})
//
// # The log is a topic
//
// All events of a store are the messages of the topic with its name, in the order in
// which they were appended. Groups can subscribe to it as to any other; what they get
// has the aggregate in the header ":aggregate", the version in ":version" and the
// event's type where a message of a topic has it.
//
// A store takes what is published to its topic otherwise for an event without an
// aggregate: it is in the log, and in no index. Whatever takes events out of the log
// breaks aggregates, so its topic has no retention and is not deleted: Append refuses a
// topic that has one, and setting one for the topic of a store is refused. What is missing
// nevertheless is an error that says so (ErrMissing, ErrPosition), and never passed over.
//
// # What is promised
//
//   - An append is atomic: all of its events are in the log, one behind the other, with
//     successive versions, or none is. Of several with the same Exactly version, one
//     succeeds, and each other one is a [*ConflictError].
//   - A repeated append changes nothing and returns the result of the first one: see
//     [Store.AppendOnce]. Append repeats by itself what got no answer.
//   - An event is never changed. Its position, which is its message's id, is higher than
//     those of all events before it.
//   - A projection sees every event at least once and in the order of the log, one at a
//     time. What it writes through its [Commit] is written exactly once. One process
//     runs it at a time, and others take over within its [Lease]; one that was cut off
//     can write nothing more through its Commit.
//
// What survives a crash of the Redis server is what it had on disk, as for queues.
//
// # What it costs
//
// An append is one script, and an event takes what its message takes in a stream, and
// about 20 bytes for each of the two indexes, by aggregate and by type, and some 100
// bytes for each aggregate. Redis holds all of it in memory, for good: the log is never
// trimmed. Everything of a store is in one slot of a cluster.
package eventstore
