package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// patience is more than the 3 s after which the store gives a silent server up.
const patience = 8 * time.Second

// deaf accepts connections and answers nothing, like a halted server.
func deaf(t *testing.T) (url string, connected <-chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	came := make(chan struct{}, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var conns []net.Conn
		for {
			conn, err := l.Accept()
			if err != nil {
				break
			}
			conns = append(conns, conn)
			came <- struct{}{}
		}
		for _, conn := range conns {
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return "redis://:pass-word@" + l.Addr().String(), came
}

func env(string) string { return "" }

func TestSilentServerTimesOut(t *testing.T) {
	url, _ := deaf(t)
	var stdout, stderr bytes.Buffer
	begin := time.Now()
	code := run(t.Context(), []string{"queues", "--redis", url, "--timeout", "100ms"}, nil, &stdout, &stderr, env)
	if took := time.Since(begin); code != exitFailed || took > patience {
		t.Errorf("exit code %d after %v", code, took)
	}
	if got := stderr.String(); !strings.Contains(got, "--timeout 100ms") ||
		strings.Contains(got, "pass-word") || strings.Count(got, "\n") != 1 {
		t.Errorf("stderr: %s", got)
	}
}

func TestInterrupt(t *testing.T) {
	url, connected := deaf(t)
	ctx, interrupt := context.WithCancel(t.Context())
	go func() {
		<-connected
		interrupt()
	}()
	var stdout, stderr bytes.Buffer
	begin := time.Now()
	code := run(ctx, []string{"queues", "--redis", url}, nil, &stdout, &stderr, env)
	if took := time.Since(begin); code != exitFailed || took > patience {
		t.Errorf("exit code %d after %v", code, took)
	}
	if !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("stderr: %s", &stderr)
	}
}

func TestInterruptedQuestion(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	r, w := io.Pipe()
	defer w.Close() // ends readLine's goroutine
	interrupt()
	if _, err := readLine(ctx, r); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

type full struct{}

var errFull = errors.New("disk is full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestOutputThatCannotBeWrittenFails(t *testing.T) {
	var stderr bytes.Buffer
	if code := run(t.Context(), []string{"help"}, nil, full{}, &stderr, env); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(stderr.String(), errFull.Error()) {
		t.Errorf("stderr: %s", &stderr)
	}
}
