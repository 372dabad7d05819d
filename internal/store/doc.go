// Package store is the only code that speaks Redis: keys, scripts, replies,
// connections, and which master of a cluster has what. It moves messages between the
// places that hold them and knows nothing of handlers, retries or paths.
//
// What it promises to the layers above:
//
//   - Exactly one place holds a message at any time: a stream (ready or in
//     flight), the delayed set, a lane, or the dead-letter stream. What a topic
//     holds stays there: each of its groups has read it or has not, and what fails
//     in a group becomes its own. Every move is one atomic script in scripts/,
//     whose header is its contract. A script writes first and takes away last, so
//     that a crash in its middle can duplicate a message but never lose it.
//   - A transaction is one script made of these, which looks at everything that
//     can be refused before it writes (txrecord.go).
//   - Every script that settles a message checks that the consumer still owns
//     it (XACK itself does not look at the consumer).
//   - No command that may have been executed is ever sent again behind the
//     caller's back. One whose reply was lost ends in an error that wraps
//     ErrUnknown; scripts that are safe to repeat say so and are repeated by their
//     callers. What a cluster redirects, or could not be sent, was not executed and
//     is sent to where it belongs (redirect.go).
//   - A script does not begin while its slot moves, because its keys are in two
//     places (script.go).
//   - Concurrent commands share pipelines without waiting for each other: a
//     batch is what came in while the previous one was under way (flush.go).
//   - Blocking reads have a connection of their own (reader.go); nothing else
//     ever waits behind them.
package store
