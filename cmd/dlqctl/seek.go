package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

var seekCommand = command{
	name:  "seek",
	args:  "TOPIC GROUP --to POSITION [--yes]",
	short: "rewind a topic's group, or let it skip messages",
	long: `Moves GROUP of TOPIC to another position, after asking. From there it gets every
message again, also those that it has handled before; what it has not read before that
position it never gets, unless it is moved back. Consumers go on at once. What became
the group's own (retries, dead letters) stays, and so do all other groups.

  --to beginning   the first message that is retained
  --to now         behind the last one
  --to TIME        the first one published then or later: 2026-01-31T15:04:05Z
  --to ID          the one with this id: 1700000000000-0
  --yes            do not ask; needed where there is no terminal to ask on
`,
	flags:   []string{"to", "yes"},
	atLeast: 2, atMost: 2,
	run: seek,
}

var errNotMoved = errors.New("the group was not moved")

func seek(ctx context.Context, c *call) error {
	to, err := c.position()
	if err != nil {
		return err
	}
	if !c.yes && !isTerminal(c.stdin) {
		return c.usagef("seek lets a group repeat or skip messages and there is no terminal to ask on: pass --yes")
	}
	if !c.yes {
		if err := c.confirmSeek(ctx); err != nil {
			return err
		}
	}
	return c.withGroup(ctx, func(ctx context.Context, topic string, g *leanmq.Group) error {
		err := g.Seek(ctx, to)
		var at *leanmq.PositionError
		if errors.As(err, &at) {
			return notThere(topic, c.to, at)
		}
		if err != nil {
			return err
		}
		if c.json {
			return c.printJSON(map[string]any{"topic": topic, "group": g.Name(), "position": c.to})
		}
		_, err = fmt.Fprintf(c.out, "moved %q of %q to %s\n", g.Name(), topic, inline(c.to))
		return err
	})
}

// position is what --to means.
func (c *call) position() (leanmq.Position, error) {
	switch c.to {
	case "":
		return leanmq.Position{}, c.usagef("seek needs a position: usage: dlqctl %s %s", c.cmd.name, c.cmd.args)
	case "beginning":
		return leanmq.FromBeginning(), nil
	case "now":
		return leanmq.FromNow(), nil
	}
	if at, err := time.Parse(time.RFC3339, c.to); err == nil {
		return leanmq.FromTime(at), nil
	}
	p := leanmq.FromID(c.to)
	if _, err := p.MarshalText(); err != nil {
		return p, c.usagef("--to is %q: want beginning, now, a time such as 2026-01-31T15:04:05Z or an id such as 1700000000000-0", c.to)
	}
	return p, nil
}

// confirmSeek asks whether to move the group.
func (c *call) confirmSeek(ctx context.Context) error {
	question := ""
	err := c.withGroup(ctx, func(ctx context.Context, topic string, g *leanmq.Group) error {
		info, err := g.Info(ctx)
		more := ""
		if info.LagMore {
			more = "more than "
		}
		question = fmt.Sprintf("Move %q of %q, which has %s%d messages to read, to %s? [y/N] ",
			g.Name(), topic, more, info.Lag, inline(c.to))
		return err
	})
	if err != nil {
		return err
	}
	if !c.ask(ctx, question) {
		return errNotMoved
	}
	return nil
}

// withGroup is withClient for the group that the first two arguments name. Both must
// exist.
func (c *call) withGroup(ctx context.Context, do func(ctx context.Context, topic string, g *leanmq.Group) error) error {
	return c.withClient(ctx, func(ctx context.Context, client *leanmq.Client) error {
		topic := client.Topic(c.args[0])
		names, err := client.TopicNames(ctx)
		if err != nil {
			return err
		}
		if !slices.Contains(names, topic.Name()) {
			return none("topic", c.args[0], names, c.prefix)
		}
		err = do(ctx, topic.Name(), topic.Group(c.args[1]))
		var unknown *leanmq.UnknownGroupError
		if errors.As(err, &unknown) {
			return noGroup(topic.Name(), c.args[1], unknown.Groups)
		}
		return err
	})
}

// noGroup is the error for a group that does not exist. It lists those that do.
func noGroup(topic, name string, names []string) error {
	if len(names) == 0 {
		return fmt.Errorf("no group %q: topic %q has none", name, topic)
	}
	return fmt.Errorf("topic %q has no group %q; there is %s", topic, name, likely(name, names, "dlqctl topics"))
}

// notThere is the error for a position that the topic does not have. It says what it
// has.
func notThere(topic, to string, at *leanmq.PositionError) error {
	what := "ahead of the topic"
	if errors.Is(at, leanmq.ErrNotRetained) {
		what = "not retained any more"
	}
	if at.First == "" {
		return fmt.Errorf("%s is %s: %q is empty", to, what, topic)
	}
	return fmt.Errorf("%s is %s: %q has %s of %s to %s of %s; see --to beginning and --to now",
		to, what, topic, at.First, local(at.FirstAt), at.Last, local(at.LastAt))
}
