package server

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Usage is what a Redis server has used so far.
type Usage struct {
	Commands float64       // those inside of scripts included
	CPU      time.Duration // user and system, of all its threads
	Memory   float64       // used_memory, in bytes

	pid int
}

// Usage reads the server's figures.
func (r *Redis) Usage() (Usage, error) {
	text, err := r.ops.Info(context.Background(), "server", "cpu", "memory", "commandstats").Result()
	if err != nil {
		return Usage{}, err
	}
	return parseUsage(text), nil
}

// Version is the server's.
func (r *Redis) Version() (string, error) {
	text, err := r.ops.Info(context.Background(), "server").Result()
	_, rest, _ := strings.Cut(text, "redis_version:")
	version, _, _ := strings.Cut(rest, "\r\n")
	return version, err
}

func parseUsage(info string) (u Usage) {
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch {
		case name == "used_cpu_user", name == "used_cpu_sys":
			u.CPU += time.Duration(number(value) * float64(time.Second))
		case name == "used_memory":
			u.Memory = number(value)
		case name == "process_id":
			u.pid = int(number(value))
		case name == "cmdstat_info": // ours
		case strings.HasPrefix(name, "cmdstat_"):
			calls, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
			u.Commands += number(calls)
		}
	}
	return u
}

func number(s string) float64 {
	n, _ := strconv.ParseFloat(s, 64)
	return n
}
