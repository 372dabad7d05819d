// Package embedded runs a Redis inside the process, for trying LeanMQ out and
// for tests. Importing it, for its effect alone if need be, makes these URLs
// work wherever a Redis URL does:
//
//	mem://        a store of its own for every client that opens it
//	mem://orders  one store for all clients in this process that name it,
//	              gone when the last of them is closed
//
// The server is miniredis: Redis written anew in Go, listening on a loopback
// port without a password, so every program on the machine can reach it. What
// is promised beyond miniredis itself:
//
//   - Its clock runs. Stream ids, idle times and TIME are the wall clock, and
//     keys expire. A key may go up to one step of that clock too early or too
//     late: 10 ms, more with very many keys (some 25 ms with 10,000 keys, half
//     a second with 100,000), because a step visits every key. Where the machine is
//     so busy that steps come late, up to five of them too early, or as much too late
//     as they come. The clock of [StartAt] stands still instead, exactly, and is moved
//     by hand, for tests; most of them want package leanmqtest, which does that.
//   - Close is final, may be called twice, waits for every goroutine but does
//     not wait for clients: their blocked reads end with a closed connection.
//
// # What it does not prove
//
// Nothing is written to disk and nothing survives the process; [Notice] says
// so in a sentence. And a program that works here has not been shown to work
// on Redis. In miniredis 2.40:
//
//   - There is no persistence, replication, cluster, maxmemory, CONFIG, ROLE or
//     CLIENT beyond SETNAME; WAIT returns at once. Whatever those can do to a
//     queue (refused writes, lost tails, CROSSSLOT) never happens.
//   - HELLO claims to be version 8.4, whose newer commands are not there.
//   - XCLAIM ignores min-idle-time and XCLAIM and XAUTOCLAIM count a delivery
//     even with JUSTID (a RETRYCOUNT is honored); XAUTOCLAIM and history reads
//     do not tell of deleted entries, and history reads ignore COUNT.
//   - XACK of an entry that was deleted first acknowledges it, but returns 0.
//   - XREADGROUP does not count as activity of its consumer: XINFO CONSUMERS
//     has idle -1 until an entry is claimed. The lag of XINFO GROUPS is the
//     length of the stream.
//   - There is no XGROUP SETID: a Seek makes the group anew.
//   - DUMP and RESTORE know strings only (see Tx.Do of package leanmq).
//   - Deleted entries are forgotten: an explicit id below the last one is
//     accepted, and $ means the last entry that is left.
//   - A reader whose stream goes away gets NOGROUP, not UNBLOCKED, and gets it
//     only at its time-out if the stream expired.
//   - An error that a script does not catch loses its code behind "ERR Error
//     compiling script"; unpack takes between 5,000 and 6,000 values at most.
//     Lua has no bit, struct or cmsgpack.
//   - A script costs a new Lua interpreter, and all commands share one lock:
//     its speed says nothing about Redis.
package embedded
