// Package leanmqtest helps to test code that uses LeanMQ, in the test's own
// process and without a server.
//
//	func TestOrderIsConfirmed(t *testing.T) {
//		t.Parallel()
//		env := leanmqtest.New(t)
//		mails := env.Queue("mails")
//
//		placeOrder(env.Client, "cable")                   // the code under test sends …
//		env.RequireSent(mails, "thank you for the cable") // … this,
//
//		env.Drain(mails, sendMail)                        // and its handler deals with it.
//		env.RequireEmpty(mails)
//	}
//
// # What is promised
//
// Isolation: every [New] has a store of its own, which ends with the test. Tests
// may be parallel.
//
// No waiting: [Env.Drain] runs a handler on the test's own goroutine until nothing
// is ready any more, and knows when that is. Nothing happens between two calls.
//
// One message at a time, in send order: what happened is the same each time, and
// t.Fatal works in a handler. Only backoff is random, as it is in production.
//
// The same verdicts: messages are handled, judged and settled by the code that
// Consume runs. An error, [leanmq.Reject], [leanmq.RetryAfter], a panic, a reply,
// an expired or malformed message mean what they mean there.
//
// Time in the test's hand: the store's clock stands still until [Env.Advance] moves
// it. A delay of a week takes a microsecond, and no slow machine makes anything
// due, expired or lapsed.
//
// # What is not
//
// The store is the embedded one, which is miniredis and not Redis: see package
// embedded for what differs. A test that passes here has shown that the code uses
// LeanMQ as it means to, and nothing about a Redis that is slow, full, restarted or
// gone.
//
// Drain has no concurrency: a race between two handlers of one queue does not show.
// It renews no lease: a handler that calls Advance past its lease loses the message
// to the next one who drains. For the rest, run a real Consume with [Env.Run].
//
// Only the store's clock stands. Code that computes times for [leanmq.At] itself
// should take them from [Env.Now], as time.Now is ahead of it by what the test has
// taken so far. The context of a handler whose message has a deadline ends by real
// time, after what the message had left when the handler began. And what runs in
// the background sees the clock jump: an Advance beyond a lease (30 s, also that of
// an [leanmq.Inbox]) is to it what a pause of the whole program would be.
package leanmqtest
