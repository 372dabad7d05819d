package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/leanmq/leanmq/internal/store"
	"github.com/leanmq/leanmq/leanmq"
)

// seedLimit bounds what seed waits for.
const seedLimit = 20 * time.Second

type seeding struct {
	prefix, queue           string
	id, target, text        string
	header                  headerFlag
	ttl                     time.Duration
	ready, scheduled, crowd int
	attempts                int
	held, blocked           int
	note                    string
	living                  []string // ids of those that are ready
	payloads                []string
}

type headerFlag map[string]string

func (h headerFlag) String() string { return "" }

func (h headerFlag) Set(s string) error {
	name, value, _ := strings.Cut(s, "=")
	h[name] = value
	return nil
}

// seed [FLAGS] QUEUE [PAYLOAD...] creates a queue, and in it a dead letter of
// each payload, the way a worker would. Escapes such as \x1b mean what they mean
// in Go. The letters are $LETTER1, $LETTER2, …
//
//	-error TEXT   what the handler says; %d is the attempt's number
//	-attempts N   how often it says so: the last time, it rejects; default 1
//	-id ID        message ids: ID-1, ID-2, …
//	-target T, -header NAME=VALUE, -ttl TIME, -prefix P
//	-ready N, -scheduled N   further messages, alive; the ids are $READY1, …
//	-crowd N      further dead letters
//	-held N       further messages that the worker "holder" has
//	-note TEXT    the progress of those
//	-blocked N    further messages behind one with their ordering key
func seed(ts *testscript.TestScript, _ bool, args []string) {
	s := seeding{header: headerFlag{}}
	fs := flag.NewFlagSet("seed", flag.ContinueOnError)
	fs.StringVar(&s.prefix, "prefix", "leanmq", "")
	fs.StringVar(&s.id, "id", "", "")
	fs.StringVar(&s.target, "target", "", "")
	fs.StringVar(&s.text, "error", "boom", "")
	fs.IntVar(&s.attempts, "attempts", 1, "")
	fs.Var(s.header, "header", "")
	fs.DurationVar(&s.ttl, "ttl", 0, "")
	fs.IntVar(&s.ready, "ready", 0, "")
	fs.IntVar(&s.scheduled, "scheduled", 0, "")
	fs.IntVar(&s.crowd, "crowd", 0, "")
	fs.IntVar(&s.held, "held", 0, "")
	fs.StringVar(&s.note, "note", "", "")
	fs.IntVar(&s.blocked, "blocked", 0, "")
	ts.Check(fs.Parse(args))
	s.queue, s.payloads = fs.Arg(0), fs.Args()[1:]
	for i := range s.crowd {
		s.payloads = append(s.payloads, strconv.Itoa(i+1))
	}

	ctx, cancel := context.WithTimeout(context.Background(), seedLimit)
	defer cancel()
	c, err := leanmq.Open(ctx, ts.Getenv("URL"), leanmq.Prefix(s.prefix))
	ts.Check(err)
	defer func() { ts.Check(c.Close()) }()
	letters, err := s.sow(ctx, c.Queue(s.queue))
	ts.Check(err)
	ids, err := s.hold(ctx, c)
	ts.Check(err)
	for i, id := range ids {
		ts.Setenv("HELD"+strconv.Itoa(i+1), id)
	}
	for i, id := range s.living {
		ts.Setenv("READY"+strconv.Itoa(i+1), id)
	}
	for i, l := range letters {
		ts.Setenv("LETTER"+strconv.Itoa(i+1), l)
	}
}

func (s *seeding) sow(ctx context.Context, q *leanmq.Queue) (letters []string, err error) {
	if err := q.Create(ctx); err != nil {
		return nil, err
	}
	for i, p := range s.payloads {
		opts := []leanmq.SendOption{leanmq.Target(unescaped(s.target))}
		if s.ttl > 0 {
			opts = append(opts, leanmq.TTL(s.ttl))
		}
		if s.id != "" {
			opts = append(opts, leanmq.ID(fmt.Sprintf("%s-%d", unescaped(s.id), i+1)))
		}
		for name, value := range s.header {
			opts = append(opts, leanmq.WithHeader(name, unescaped(value)))
		}
		if _, err := q.Send(ctx, []byte(unescaped(p)), opts...); err != nil {
			return nil, err
		}
	}
	if err := s.reject(ctx, q); err != nil {
		return nil, err
	}
	for d, err := range q.DeadLetters(ctx) {
		if err != nil {
			return nil, err
		}
		letters = append(letters, d.Letter)
	}
	return letters, s.addLiving(ctx, q)
}

// hold sends messages and has a worker that does nothing with them. It returns their
// ids: $HELD1, $HELD2, …
func (s *seeding) hold(ctx context.Context, c *leanmq.Client) (ids []string, err error) {
	q, err := c.Store().Queue(s.queue)
	if err != nil || s.held == 0 {
		return nil, err
	}
	for i := range s.held {
		if _, err := c.Queue(s.queue).Send(ctx, fmt.Append(nil, "held ", i)); err != nil {
			return nil, err
		}
	}
	if _, err := q.Join(ctx, "holder"); err != nil {
		return nil, err
	}
	reader := c.Store().NewReader()
	defer func() { _ = reader.Close() }()
	err = reader.Read(ctx, "holder", []*store.Queue{q}, s.held, 0, func(_ int, e store.Entry) { ids = append(ids, e.Entry) })
	for _, id := range ids {
		if s.note != "" && err == nil {
			err = q.SetProgress(ctx, id, unescaped(s.note), time.Hour)
		}
	}
	return ids, err
}

// reject lets a worker give up what is in the queue, in order.
func (s *seeding) reject(ctx context.Context, q *leanmq.Queue) error {
	before, err := q.Info(ctx)
	if err != nil {
		return err
	}
	want := before.Dead + before.Ready
	ctx, cancel := context.WithCancelCause(ctx)
	settled := errors.New("all settled")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			info, err := q.Info(ctx)
			switch {
			case err != nil:
				cancel(err)
				return
			case info.Dead >= want:
				cancel(settled)
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	err = q.Consume(ctx, func(_ context.Context, m *leanmq.Message) error {
		err := errors.New(strings.ReplaceAll(unescaped(s.text), "%d", strconv.Itoa(m.Attempt)))
		if m.Attempt < s.attempts {
			return leanmq.RetryAfter(0, err)
		}
		return leanmq.Reject(err)
	}, leanmq.Concurrency(1))
	cancel(err)
	<-done
	if cause := context.Cause(ctx); !errors.Is(cause, settled) {
		return cause
	}
	return err
}

func (s *seeding) addLiving(ctx context.Context, q *leanmq.Queue) error {
	for range s.ready {
		id, err := q.Send(ctx, []byte("ready"))
		if err != nil {
			return err
		}
		s.living = append(s.living, id)
	}
	for range s.blocked + min(s.blocked, 1) {
		if _, err := q.Send(ctx, []byte("in order"), leanmq.OrderingKey("k")); err != nil {
			return err
		}
	}
	for range s.scheduled {
		if _, err := q.Send(ctx, []byte("later"), leanmq.Delay(time.Hour)); err != nil {
			return err
		}
	}
	return nil
}

func unescaped(s string) string {
	if v, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`); err == nil {
		return v
	}
	return s
}
