//go:build !linux

package redistest

import (
	"os/exec"
	"syscall"
)

// As on macOS and the BSDs. Windows has no such signals; there Pause fails.
const (
	sigStop = syscall.Signal(17)
	sigCont = syscall.Signal(19)
)

// dieWithParent does nothing: only Linux can be told to. A server that a killed
// test binary leaves behind is idle, empty and on a port of its own.
func dieWithParent(*exec.Cmd) {}
