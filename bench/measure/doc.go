// Package measure takes the figures of a run: how many, how long, and at whose
// cost.
package measure
