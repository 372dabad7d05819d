// Package redistest gives tests a Redis. It is for tests only.
//
// [Server] starts a redis-server of its own for a test that stops, kills or
// pauses it, or wants it configured; [Cluster] and [Sentinel] start several that
// belong together. [ForEachStore] runs a test against each kind of store that
// LEANMQ_STORES names: by default the embedded one, and a redis-server that all
// tests of the binary share. Such a package has this in its TestMain:
//
//	func TestMain(m *testing.M) { redistest.Main(m) }
//
// What is promised:
//
//   - A server answers before the test gets to see it, and it is the process
//     that was started, not another one that happens to listen on the port.
//   - No server outlives the test binary, on Linux not even one that is killed.
//   - LEANMQ_REDIS_SERVER names another program for the servers, such as
//     valkey-server.
//   - Without redis-server in PATH the tests that need it are skipped, or fail
//     if LEANMQ_REQUIRE_REDIS=1, so that a CI cannot skip them unnoticed.
//
// It imports the embedded store, and with that internal/store: tests of
// internal/store that use it are in package store_test.
package redistest
