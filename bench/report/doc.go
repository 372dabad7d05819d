// Package report makes of the figures of all runs what is read of them: a table,
// JSON lines and charts. It is pure: nothing in it measures.
package report
