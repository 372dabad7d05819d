// Package system has an adapter for everything that is measured: this project,
// the floors, which are the same commands with bare clients, and what a user would
// pick instead. Each is used as its own documentation recommends, at its best
// setting; Setting says which, and Lacks what it does not do.
package system
