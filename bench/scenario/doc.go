// Package scenario has the workloads: what is done with every system, and which
// figures are taken of it.
package scenario
