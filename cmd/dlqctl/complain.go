package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/leanmq/leanmq/leanmq"
)

// usageError says that nothing was done, because it was asked for wrongly.
type usageError struct {
	text string
	see  string // a command that tells more
}

func (e *usageError) Error() string { return e.text + " (see " + e.see + ")" }

func usagef(format string, args ...any) error {
	return &usageError{text: fmt.Sprintf(format, args...), see: "dlqctl -h"}
}

func exitCode(err error) int {
	var usage *usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// userinfo is what of a URL is not printed. Errors do not quote the URL that we
// connect to, but they do quote an argument that turns out to be one.
var userinfo = regexp.MustCompile(`://\S*@`)

// passwords are those in the query of a URL of sentinels.
var passwords = regexp.MustCompile(`(password=)[^&\s"]*`)

// complain prints an error as one line that says what to do.
func (c *call) complain(ctx context.Context, err error) {
	text := strings.TrimPrefix(err.Error(), "leanmq: ")
	if advice := c.advice(ctx, err); advice != "" {
		text += "; " + advice
	}
	text = userinfo.ReplaceAllString(text, "://***@")
	text = passwords.ReplaceAllString(text, "${1}***")
	_, _ = fmt.Fprintf(c.stderr, "dlqctl: %s\n", inline(text))
}

func (c *call) advice(ctx context.Context, err error) string {
	text := err.Error()
	var slow interface{ Timeout() bool }
	switch {
	case ctx.Err() != nil:
		return "interrupted"
	case strings.Contains(text, "NOAUTH"), strings.Contains(text, "WRONGPASS"):
		return "put the right user and password into the URL: --redis or " + envRedis
	case errors.As(err, &slow) && slow.Timeout():
		return fmt.Sprintf("Redis at %s is too slow: does it hang, or is --timeout %v too short?", place(c.redis), c.timeout)
	case errors.Is(err, leanmq.ErrUnavailable):
		return fmt.Sprintf("is Redis up at %s? (--redis, %s)", place(c.redis), envRedis)
	}
	return ""
}

// note tells what is worth knowing and no failure.
func (c *call) note(format string, args ...any) {
	_, _ = fmt.Fprintf(c.stderr, "%s\n", inline(fmt.Sprintf(format, args...)))
}
