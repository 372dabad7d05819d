package testkit

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"testing"
)

// Become makes the test binary another program if the environment variable is set: it
// runs f, and exits. It is for TestMain, before anything else. The context of f ends
// when the process is interrupted. It does not outlive the test that called Spawn.
func Become(variable string, f func(context.Context) error) {
	if os.Getenv(variable) == "" {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the test binary
		os.Exit(3)
	}()
	if err := f(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Child is a process that runs the test binary as another program.
type Child struct {
	cmd   *exec.Cmd
	stdin io.Closer
}

// Spawn starts the test binary once more, with these variables ("NAME=value") for
// Become. The child is killed when the test ends.
func Spawn(t testing.TB, env ...string) *Child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &Child{cmd: cmd, stdin: stdin}
	t.Cleanup(c.Kill)
	return c
}

// Pid is the child's process id.
func (c *Child) Pid() int { return c.cmd.Process.Pid }

// Kill ends the child at once, if it runs, and waits for it.
func (c *Child) Kill() {
	_ = c.cmd.Process.Kill()
	_ = c.Wait()
}

// Signal sends it a signal.
func (c *Child) Signal(sig os.Signal) error { return c.cmd.Process.Signal(sig) }

// Wait waits for the end of the child and returns what is wrong with it.
func (c *Child) Wait() error {
	err := c.cmd.Wait()
	_ = c.stdin.Close()
	return err
}
