package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// flags of all commands. They share one set because a flag may stand before the
// command's name, when it is not known yet which one will come.
type flags struct {
	redis   string
	prefix  string
	json    bool
	timeout time.Duration
	help    bool

	limit int
	all   bool
	yes   bool
	to    string
}

const (
	defaultRedis   = "redis://localhost:6379"
	defaultPrefix  = "leanmq"
	defaultTimeout = 10 * time.Second
	defaultLimit   = 50
	envRedis       = "LEANMQ_REDIS_URL"
)

var commonFlags = []string{"redis", "prefix", "json", "timeout", "h", "help"}

func (f *flags) flagSet() *flag.FlagSet {
	fs := flag.NewFlagSet("dlqctl", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // it would print defaults, and with them a password
	fs.StringVar(&f.redis, "redis", "", "")
	fs.StringVar(&f.prefix, "prefix", defaultPrefix, "")
	fs.BoolVar(&f.json, "json", false, "")
	fs.DurationVar(&f.timeout, "timeout", defaultTimeout, "")
	fs.BoolVar(&f.help, "h", false, "")
	fs.BoolVar(&f.help, "help", false, "")
	fs.IntVar(&f.limit, "limit", defaultLimit, "")
	fs.BoolVar(&f.all, "all", false, "")
	fs.BoolVar(&f.yes, "yes", false, "")
	fs.StringVar(&f.to, "to", "", "")
	return fs
}

// parse reads the command line and checks all of it that needs no Redis.
func (c *call) parse(args []string) error {
	fs := c.flagSet()
	words, err := interspersed(fs, args)
	if err != nil {
		return usagef("%v", err)
	}
	if len(words) > 0 && words[0] == "help" {
		c.help = true
		words = words[1:]
	}
	if len(words) == 0 {
		if c.help {
			return nil
		}
		return usagef("no command: use %s", commandNames())
	}
	if c.cmd = findCommand(words[0]); c.cmd == nil {
		return usagef("unknown command %q: use %s", words[0], commandNames())
	}
	if c.help {
		return nil
	}
	c.args = words[1:]
	return c.check(fs)
}

// interspersed parses flags wherever they stand and returns the other words.
// After "--" there are no more flags.
func interspersed(fs *flag.FlagSet, args []string) (words []string, err error) {
	for len(args) > 0 {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		rest := fs.Args()
		if read := len(args) - len(rest); read > 0 && args[read-1] == "--" {
			return append(words, rest...), nil
		}
		if len(rest) == 0 {
			break
		}
		words, args = append(words, rest[0]), rest[1:]
	}
	return words, nil
}

func (c *call) check(fs *flag.FlagSet) (err error) {
	allowed := slices.Concat(commonFlags, c.cmd.flags)
	fs.Visit(func(f *flag.Flag) {
		if err == nil && !slices.Contains(allowed, f.Name) {
			err = c.usagef("--%s is not for %s", f.Name, c.cmd.name)
		}
	})
	switch n := len(c.args); {
	case err != nil:
		return err
	case n < c.cmd.atLeast, c.cmd.atMost >= 0 && n > c.cmd.atMost:
		if n == 0 {
			return c.usagef("usage: dlqctl %s %s", c.cmd.name, c.cmd.args)
		}
		return c.usagef("%q: usage: dlqctl %s", strings.Join(c.args, " "), strings.TrimSpace(c.cmd.name+" "+c.cmd.args))
	case c.limit < 1:
		return c.usagef("--limit is %d: want 1 or more", c.limit)
	case c.timeout <= 0:
		return c.usagef("--timeout is %v: want more than 0, such as 10s", c.timeout)
	}
	if slices.Contains(c.cmd.flags, "all") && c.all == (len(c.letters()) > 0) {
		return c.usagef("%s takes either letters or --all: usage: dlqctl %s %s", c.cmd.name, c.cmd.name, c.cmd.args)
	}
	c.redis = firstOf(c.redis, c.getenv(envRedis), defaultRedis)
	return nil
}

// letters are those named after the queue, each once.
func (c *call) letters() (letters []string) {
	for _, l := range c.args[1:] {
		if !slices.Contains(letters, l) {
			letters = append(letters, l)
		}
	}
	return letters
}

// usagef is the function usagef, but points to the command's help.
func (c *call) usagef(format string, args ...any) error {
	return &usageError{text: fmt.Sprintf(format, args...), see: "dlqctl " + c.cmd.name + " -h"}
}

func commandNames() string {
	var names []string
	for _, cmd := range commands {
		names = append(names, cmd.name)
	}
	return strings.Join(names, ", ")
}

func firstOf(s ...string) string {
	for _, v := range s {
		if v != "" {
			return v
		}
	}
	return ""
}
