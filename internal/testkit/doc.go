// Package testkit is what the tests of several packages need and have in no store: to
// wait for something, to run something until the test ends, to read a log that is
// still written, to lose replies, and to kill processes. It is for tests only, and
// imports nothing of this module, so that every package's own tests may use it.
//
//   - [Eventually], [Within] and [Receive] wait for a condition or a value. A test
//     that passes waits no longer than it takes: [Patience] is for one that fails.
//   - [Start] and [Serve] run what runs until its context ends.
//   - [Proxy] stands between clients and servers and freezes, mutes or cuts their
//     connections.
//   - [Become] and [Spawn] make the test binary a worker, for a test that kills it;
//     a [Ledger] is where such workers write down what they did.
//   - [Launch] starts any other program, and [Process.Await] waits until it answers.
//   - [DiesWithTheTest] checks that a server does not outlive the tests.
//   - [Ending] runs a test that is supposed to fail or to be skipped.
package testkit
