package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// work applies transfers until ctx ends, or it is killed.
func work(ctx context.Context, url, name string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() { // it ends with the program that started it
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	mq, err := leanmq.Open(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = mq.Close() }()
	b := newBook(name, mq)
	return b.transfers.Consume(ctx, func(ctx context.Context, m *leanmq.Message) error {
		time.Sleep(time.Millisecond) // so that there is always one to be killed in
		return b.apply(ctx, m)
	}, leanmq.Concurrency(4), leanmq.Lease(500*time.Millisecond), leanmq.MaxDeliveries(100))
}

// worker is a process that works.
type worker struct {
	cmd   *exec.Cmd
	stdin io.Closer
}

func startWorker(url, name string) (*worker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "-redis", url, "-worker", name)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return &worker{cmd, stdin}, cmd.Start()
}

// kill ends the worker as a crash would: with SIGKILL.
func (w *worker) kill() {
	_ = w.cmd.Process.Kill()
	_ = w.cmd.Wait()
	_ = w.stdin.Close()
}
