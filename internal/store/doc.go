// Package store is the only code that speaks Redis: keys, scripts, replies and
// connections. It moves messages between the places that hold them and knows
// nothing of handlers, retries or paths.
//
// What it promises to the layers above:
//
//   - Exactly one place holds a message at any time: the stream (ready or in
//     flight), the delayed set, or the dead-letter stream. Every move is one
//     atomic script in scripts/, whose header is its contract. A script writes
//     first and takes away last, so that a crash in its middle can duplicate a
//     message but never lose it.
//   - Every script that settles a message checks that the consumer still owns
//     it (XACK itself does not look at the consumer).
//   - No command is ever sent twice behind the caller's back. A command whose
//     reply was lost ends in an error that wraps ErrUnknown; scripts that are
//     safe to repeat say so and are repeated by their callers.
//   - Concurrent commands share pipelines without waiting for each other: a
//     batch is what came in while the previous one was under way (pipe.go).
//   - Blocking reads have a connection of their own (reader.go); nothing else
//     ever waits behind them.
package store
