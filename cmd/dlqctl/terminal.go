package main

import (
	"io"
	"os"
	"strconv"
)

// isTerminal reports whether a person can answer at r. The null device is a
// character device, too, but there is no one at it.
func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// unknownWidth is for files and pipes: nothing wraps there.
const unknownWidth = 200

// width is how many characters of a line can be seen.
func (c *call) width() int {
	if n, err := strconv.Atoi(c.getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if f, ok := c.stdout.(*os.File); ok {
		if n := terminalWidth(f); n > 0 {
			return n
		}
	}
	return unknownWidth
}
