package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// Process is a command that was started, and the goroutine that waits for it. A nil
// one does not run.
type Process struct {
	cmd    *exec.Cmd
	exited chan struct{}
	err    error // of Wait, once exited is closed
}

// Launch starts a command. The goroutine that starts it keeps its thread until the
// command has ended: to the kernel a process's parent is the thread that made it, and
// the runtime may end any thread that is not locked. Hence a command can be told to
// die with its parent.
func Launch(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// Running reports whether the process has not ended.
func (p *Process) Running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Pid is the process's id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Wait waits for the end of the process and returns what is wrong with it.
func (p *Process) Wait() error {
	<-p.exited
	return p.err
}

// Await waits until the process, a server, is ready.
func (p *Process) Await(ready func() bool, limit time.Duration) error {
	deadline := time.After(limit)
	for !ready() {
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended (%w)", p.cmd.Path, p.err)
		case <-deadline:
			return fmt.Errorf("%s does not answer after %v", p.cmd.Path, limit)
		case <-time.After(pollEvery):
		}
	}
	return nil
}

// Signal sends a signal. An error means most likely that the process has just ended.
func (p *Process) Signal(sig os.Signal) error { return p.cmd.Process.Signal(sig) }

// End sends a signal that shall end the process. It kills one that goes on for longer
// than the limit.
func (p *Process) End(sig os.Signal, limit time.Duration) error {
	_ = p.Signal(sig)
	select {
	case <-p.exited:
		return nil
	case <-time.After(limit):
		p.Kill()
		return fmt.Errorf("%s was killed: it did not end within %v", p.cmd.Path, limit)
	}
}

// Kill ends the process as a crash would, and waits for that.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // an error means that it has just ended
	<-p.exited
}

// LastLines is the part of a log that says why a program ended.
func LastLines(log []byte) string {
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
