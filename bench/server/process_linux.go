package server

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel kill the command when this process ends, however
// it does.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
