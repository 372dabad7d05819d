package testkit

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// Ledger is a directory in which children write down what they do, each in a file of
// its own: not in the store under test.
type Ledger string

// Open opens the file of this process, which adds to what it says.
func (l Ledger) Open() (*os.File, error) {
	return os.OpenFile(l.of(os.Getpid()), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
}

// Size is how much a child has written, or -1 before it has opened its file.
func (l Ledger) Size(c *Child) int64 {
	s, err := os.Stat(l.of(c.Pid()))
	if err != nil {
		return -1
	}
	return s.Size()
}

// End asks children to end, as soon as they have opened their files and so listen to
// that, and checks that they end well.
func (l Ledger) End(t testing.TB, children ...*Child) {
	t.Helper()
	for _, c := range children {
		Eventually(t, "a child listens", func() bool { return l.Size(c) >= 0 })
		if err := c.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
	}
	for _, c := range children {
		if err := c.Wait(); err != nil {
			t.Errorf("a child that was asked to end: %v", err)
		}
	}
}

// Text is what a child wrote.
func (l Ledger) Text(t testing.TB, c *Child) string {
	t.Helper()
	text, err := os.ReadFile(l.of(c.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Each calls f with each line of each process.
func (l Ledger) Each(t testing.TB, f func(pid int, line string)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(string(l), "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		pid, _ := strconv.Atoi(filepath.Base(name))
		for in := bufio.NewScanner(text); in.Scan(); {
			f(pid, in.Text())
		}
		_ = text.Close()
	}
}

func (l Ledger) of(pid int) string { return filepath.Join(string(l), strconv.Itoa(pid)) }
