package main

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/leanmq/leanmq/leanmq"
)

// withClient connects and lets do work, for as long as --timeout allows.
func (c *call) withClient(ctx context.Context, do func(context.Context, *leanmq.Client) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := checkURL(c.redis); err != nil {
		return err
	}
	client, err := leanmq.Open(ctx, c.redis, leanmq.Prefix(c.prefix))
	if errors.Is(err, leanmq.ErrInvalid) {
		return usagef("%s", strings.TrimPrefix(err.Error(), "leanmq: open: "))
	}
	if err != nil {
		return err
	}
	defer func() {
		if cerr := client.Close(); err == nil {
			err = cerr
		}
	}()
	return do(ctx, client)
}

// withQueue is withClient for the queue that the first argument names. It must
// exist: a mistyped name would look like a queue without dead letters.
func (c *call) withQueue(ctx context.Context, do func(context.Context, *leanmq.Queue) error) error {
	return c.withClient(ctx, func(ctx context.Context, client *leanmq.Client) error {
		q := client.Queue(c.args[0])
		// Not client.Queues, which counts what is in each of them.
		names, err := client.QueueNames(ctx)
		if err != nil {
			return err
		}
		if !slices.Contains(names, q.Name()) {
			return none("queue", c.args[0], names, c.prefix)
		}
		return do(ctx, q)
	})
}

// checkURL refuses a URL whose password could be taken for something else, a
// database number for example, and then be part of an error. The one that Go
// returns for a URL that it cannot parse is such an error, too.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || strings.Contains(u.Host+u.EscapedPath()+u.RawQuery+u.EscapedFragment()+u.Opaque, "@") {
		return usagef("the Redis URL (--redis or %s) cannot be parsed: "+
			"write special characters of the user and the password as %%XX, such as %%40 for @", envRedis)
	}
	if u.Scheme == "mem" {
		return usagef("a mem:// store lives in the process that opened it: dlqctl cannot reach it")
	}
	return nil
}

// place is the part of a URL that may be shown.
func place(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "the URL's host"
	}
	return u.Scheme + "://" + u.Host + u.Path
}
