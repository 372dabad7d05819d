package main

import (
	"context"
	"strconv"

	"github.com/leanmq/leanmq/leanmq"
)

// listing is how a command lists everything of a kind.
type listing[T any] struct {
	kind  string // more than one of it
	all   func(*leanmq.Client, context.Context) ([]T, error)
	table func([]T) *table
}

// list is the command's run.
func (l listing[T]) list(ctx context.Context, c *call) error {
	var infos []T
	err := c.withClient(ctx, func(ctx context.Context, client *leanmq.Client) (err error) {
		infos, err = l.all(client, ctx)
		return err
	})
	if err != nil {
		return err
	}
	if len(infos) == 0 {
		c.note("no %s with the prefix %q", l.kind, c.prefix)
		return nil
	}
	if !c.json {
		l.table(infos).write(c.out)
		return nil
	}
	for _, i := range infos {
		if err := c.printJSON(i); err != nil {
			return err
		}
	}
	return nil
}

// counts appends numbers to a row.
func counts(row []string, numbers ...int64) []string {
	for _, n := range numbers {
		row = append(row, strconv.FormatInt(n, 10))
	}
	return row
}
