// Package server starts the servers that a measurement runs against: each one
// gets fresh ones, so that nothing is left of the measurement before it.
package server
