package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis is a redis-server process of its own.
type Redis struct {
	Addr string

	proc *process
	ops  *redis.Client // looks at the server from outside of the measurement
}

// StartRedis starts a server that keeps its files in dir, and returns when it
// answers. It persists nothing, or has an append-only file that is synced every
// second if it is durable.
func StartRedis(dir string, durable bool) (*Redis, error) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("needs redis-server 7.0 or newer on PATH: %w", err)
	}
	for range 10 {
		var r *Redis
		if r, err = startRedis(binary, dir, durable); err == nil {
			return r, nil
		}
	}
	return nil, err
}

func startRedis(binary, dir string, durable bool) (*Redis, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	appendOnly := "no"
	if durable {
		appendOnly = "yes"
	}
	log, err := os.CreateTemp(dir, "redis-*.log")
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(binary,
		"--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--dir", dir,
		"--save", "", "--appendonly", appendOnly, "--appendfsync", "everysec")
	cmd.Stdout, cmd.Stderr = log, log
	dieWithParent(cmd)
	proc, err := run(cmd)
	if err != nil {
		return nil, err
	}
	r := &Redis{Addr: fmt.Sprintf("127.0.0.1:%d", port), proc: proc}
	r.ops = redis.NewClient(&redis.Options{Addr: r.Addr, PoolSize: 1})
	if err := r.await(); err != nil {
		text, _ := os.ReadFile(log.Name())
		return nil, errors.Join(err, r.Stop(), fmt.Errorf("its log ends:\n%s", lastLines(string(text))))
	}
	return r, nil
}

// await returns when this very process answers: another one may have got the port.
func (r *Redis) await() error {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		u, err := r.Usage()
		switch {
		case err == nil && u.pid == r.proc.cmd.Process.Pid:
			return nil
		case err == nil:
			return fmt.Errorf("the port of %s was taken by another server", r.Addr)
		case time.Now().After(deadline):
			return fmt.Errorf("redis-server at %s does not answer: %w", r.Addr, err)
		}
	}
}

// Stop ends the server at once: its data is of no use to anybody.
func (r *Redis) Stop() error {
	err := r.ops.Close()
	r.proc.kill()
	return err
}

// freePort finds a port below those that the kernel hands out to connections.
func freePort() (int, error) {
	for port := 10000 + os.Getpid()%10000; port < 32000; port++ {
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no free port between 10000 and 32000")
}

func lastLines(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}
