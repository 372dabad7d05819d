package main

import (
	"context"
	"flag"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/leanmq/leanmq/leanmq"
)

// publish [FLAGS] TOPIC publishes messages. Their ids are $PUBLISHED1, $PUBLISHED2, …
//
//	-n N          how many; default 1
//	-group G      makes a group from the beginning
//	-read N       has the group read and handle so many
//	-length N     sets the retention: no more than this
//	-drop         also what is unread
func publish(ts *testscript.TestScript, _ bool, args []string) {
	fs := flag.NewFlagSet("publish", flag.ContinueOnError)
	n := fs.Int("n", 1, "")
	group := fs.String("group", "", "")
	read := fs.Int("read", 0, "")
	length := fs.Int64("length", 0, "")
	drop := fs.Bool("drop", false, "")
	ts.Check(fs.Parse(args))

	ctx, cancel := context.WithTimeout(context.Background(), seedLimit)
	defer cancel()
	c, err := leanmq.Open(ctx, ts.Getenv("URL"))
	ts.Check(err)
	defer func() { ts.Check(c.Close()) }()
	topic := c.Topic(fs.Arg(0))
	for i := range *n {
		id, err := topic.Publish(ctx, []byte("x"))
		ts.Check(err)
		ts.Setenv("PUBLISHED"+strconv.Itoa(i+1), id)
	}
	if *group != "" {
		_, err := topic.Group(*group).Create(ctx, leanmq.FromBeginning())
		ts.Check(err)
		p, err := topic.Group(*group).Queue().Puller()
		ts.Check(err)
		for *read > 0 {
			ms, err := p.Receive(ctx, *read)
			ts.Check(err)
			for _, m := range ms {
				ts.Check(m.Done(ctx))
			}
			*read -= len(ms)
		}
		ts.Check(p.Close())
	}
	if *length > 0 {
		ts.Check(topic.SetRetention(ctx, leanmq.Retention{Length: *length, DropUnread: *drop}))
		_, err := topic.Trim(ctx)
		ts.Check(err)
	}
}
