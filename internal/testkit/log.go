package testkit

import (
	"bytes"
	"strings"
	"sync"
)

// Log is what a logger wrote. It may be read while it is written.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Count is how often the log says something.
func (l *Log) Count(what string) int { return strings.Count(l.String(), what) }
