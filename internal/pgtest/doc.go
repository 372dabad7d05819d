// Package pgtest gives tests a PostgreSQL. It is for tests only.
//
// [Database] makes an empty database for a test, on a server that all tests of the
// binary share; [Server] starts one of its own, for a test that stops or kills it. A
// package that uses the shared one has this in its TestMain, around whatever else
// runs the tests:
//
//	os.Exit(pgtest.With(m).Run())
//
// What is promised:
//
//   - The server listens on a Unix socket in a directory of its own, and nowhere
//     else: nobody else's server is taken for it, and no port can be taken.
//   - A server does not outlive the test binary, on Linux not even one that is
//     killed. As PostgreSQL refuses to run as root, root runs it as another user.
//   - Without PostgreSQL (in /usr/lib/postgresql, where Debian has it, or in PATH)
//     the tests that need it are skipped, or fail if LEANMQ_REQUIRE_POSTGRES=1, so
//     that a CI cannot skip them unnoticed.
//
// Nothing is synced to disk: what is committed survives a crash of the server, and
// not one of the machine.
package pgtest
