package server

import (
	"os/exec"
	"runtime"
)

// process is a command that was started, and the goroutine that waits for it.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
}

// run starts a command. The goroutine that starts it keeps its thread until the
// command has ended: to the kernel a process's parent is the thread that made it
// (dieWithParent), and the runtime may end any thread that is not locked.
func run(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // "signal: killed"
		}
		close(p.exited)
	}()
	return p, <-started
}

// kill ends the process at once, if it has not ended, and waits for it.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}
