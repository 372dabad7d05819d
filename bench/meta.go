package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/leanmq/leanmq/bench/report"
	"github.com/leanmq/leanmq/bench/scenario"
	"github.com/leanmq/leanmq/bench/server"
	"github.com/leanmq/leanmq/bench/system"
)

func newMeta(scale scenario.Scale, quick bool) (report.Meta, error) {
	m := report.Meta{
		Date: time.Now().UTC().Truncate(time.Second), Machine: processor(), Cores: runtime.NumCPU(),
		OS: runtime.GOOS + "/" + runtime.GOARCH, Quick: quick, Rounds: scale.Rounds, Seconds: scale.Time.Seconds(),
		Versions: map[string]string{"go": runtime.Version()},
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			for _, s := range system.All() {
				if s.Module == dep.Path {
					m.Versions[dep.Path] = dep.Version
				}
			}
		}
	}
	if commit, err := exec.Command("git", "describe", "--always", "--dirty").Output(); err == nil {
		m.Versions[system.LeanMQ.Module] = strings.TrimSpace(string(commit)) // it is replaced by the tree around this module
	}
	var err error
	m.Versions["redis-server"], err = redisVersion()
	return m, err
}

func redisVersion() (string, error) {
	dir, err := os.MkdirTemp("", "leanmq-bench-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	r, err := server.StartRedis(dir, false)
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Stop() }()
	version, err := r.Version()
	if err != nil {
		return "", fmt.Errorf("version of redis-server: %w", err)
	}
	return version, nil
}

// processor is the name of the machine's, where it can be found.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	_, rest, found := strings.Cut(string(text), "model name")
	if !found {
		return "unknown processor"
	}
	line, _, _ := strings.Cut(rest, "\n")
	return strings.Trim(line, "\t :")
}
