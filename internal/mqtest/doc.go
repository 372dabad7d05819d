// Package mqtest is what the tests of the packages above leanmq, and leanmq's own
// outside of it, do with clients and queues. It is for tests only.
package mqtest
