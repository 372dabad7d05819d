package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal cancels; from then on one ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}

// call is one run of the program.
type call struct {
	flags
	cmd    *command
	args   []string // of the command, without its name
	stdin  io.Reader
	stdout io.Writer     // only to ask how wide it is
	out    *bufio.Writer // to stdout; keeps its first error until it is flushed
	stderr io.Writer
	getenv func(string) string
}

// command is what can be asked for.
type command struct {
	name  string
	args  string // as the usage line shows them
	short string
	long  string
	flags []string // beyond those of every command
	// atLeast and atMost bound the number of arguments; atMost < 0 is no bound.
	atLeast, atMost int
	run             func(context.Context, *call) error
}

// commands in the order of the help.
var commands = []*command{
	&queuesCommand, &topicsCommand, &lsCommand, &showCommand, &requeueCommand, &purgeCommand,
	&psCommand, &pauseCommand, &resumeCommand, &cancelCommand, &seekCommand,
}

func findCommand(name string) *command {
	for _, cmd := range commands {
		if cmd.name == name {
			return cmd
		}
	}
	return nil
}

// run is the program without the process around it. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) int {
	c := &call{stdin: stdin, stdout: stdout, out: bufio.NewWriter(stdout), stderr: stderr, getenv: getenv}
	err := c.parse(args)
	if err == nil {
		err = c.do(ctx)
	}
	// What was done is told even if the rest failed.
	if ferr := c.out.Flush(); err == nil {
		err = ferr
	}
	if err == nil {
		return exitOK
	}
	c.complain(ctx, err)
	return exitCode(err)
}

func (c *call) do(ctx context.Context) error {
	if c.help {
		_, err := c.out.WriteString(help(c.cmd))
		return err
	}
	return c.cmd.run(ctx, c)
}
