package leanmq_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestSendsThatAreRefusedNameTheField(t *testing.T) {
	manyHeaders := leanmq.Header{}
	for i := range 129 {
		manyHeaders[fmt.Sprintf("name-%d", i)] = ""
	}
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("jobs")
		for _, tt := range []struct {
			field string
			opts  []leanmq.SendOption
		}{
			{"Delay", []leanmq.SendOption{leanmq.Delay(-1)}},
			{"Delay", []leanmq.SendOption{leanmq.Delay(time.Second), leanmq.At(time.Now())}},
			{"ID", []leanmq.SendOption{leanmq.ID("")}},
			{"ID", []leanmq.SendOption{leanmq.ID(strings.Repeat("x", 257))}},
			{"ID", []leanmq.SendOption{leanmq.ID("\xff")}},
			{"Dedupe", []leanmq.SendOption{leanmq.Dedupe(time.Minute)}},
			{"Dedupe", []leanmq.SendOption{leanmq.ID("x"), leanmq.Dedupe(-1)}},
			{"Dedupe", []leanmq.SendOption{leanmq.ID("x"), leanmq.Dedupe(31 * 24 * time.Hour)}},
			{"TTL", []leanmq.SendOption{leanmq.TTL(0)}},
			{"TTL", []leanmq.SendOption{leanmq.TTL(time.Microsecond)}},
			{"header", []leanmq.SendOption{leanmq.WithHeader("", "v")}},
			{"header", []leanmq.SendOption{leanmq.WithHeader("p", "it is LeanMQ's")}},
			{"header", []leanmq.SendOption{leanmq.WithHeader(":own", "v")}},
			{"header", []leanmq.SendOption{leanmq.WithHeader("a b", "v")}},
			{"header", []leanmq.SendOption{leanmq.WithHeader("a\n", "v")}},
			{"header", []leanmq.SendOption{leanmq.WithHeader("ü", "v")}},
			{"header", []leanmq.SendOption{leanmq.WithHeader(strings.Repeat("x", 257), "v")}},
			{"header", []leanmq.SendOption{leanmq.WithHeader("xx", strings.Repeat("v", 8193))}},
			{"header", []leanmq.SendOption{leanmq.Headers(manyHeaders)}},
			{"Target", []leanmq.SendOption{leanmq.Target(strings.Repeat("x", 8193))}},
		} {
			_, err := q.Send(t.Context(), nil, tt.opts...)
			isInvalid(t, err, tt.field)
			_, err = q.SendMany(t.Context(), make([][]byte, 2), tt.opts...)
			isInvalid(t, err, tt.field)
			var where *leanmq.Error
			if errors.As(err, &where) && (where.Op != "send" || where.Queue != "jobs") {
				t.Errorf("%v: op %q, queue %q", err, where.Op, where.Queue)
			}
		}
		large := make([]byte, leanmq.MaxPayload+1)
		_, err := q.Send(t.Context(), large)
		isInvalid(t, err, "payload")
		_, err = q.SendMany(t.Context(), [][]byte{nil, large})
		isInvalid(t, err, "payload")
		if !strings.Contains(fmt.Sprint(err), "message 1") {
			t.Errorf("%v does not say which one", err)
		}
		_, err = q.SendMany(t.Context(), make([][]byte, 2), leanmq.ID("x"))
		isInvalid(t, err, "ID")
		_, err = mq.Queue("jobs", leanmq.MaxLen(0)).Send(t.Context(), nil)
		isInvalid(t, err, "MaxLen")
		becomesEmpty(t, q)
		if qs, err := mq.Queues(t.Context()); err != nil || len(qs) != 0 {
			t.Errorf("nothing was sent, and yet: %v, %v", qs, err)
		}
	})
}

func TestBadQueueNameFailsEveryUse(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		in := openInbox(t, mq)
		ctx := t.Context()
		for name, field := range map[string]string{
			"": "queue name", "a:b:c:d": "queue name", "{}": "queue name", "s:\n": "queue name", ":x": "queue tag",
			strings.Repeat("x", 201): "queue name", strings.Repeat("x", 65) + ":x": "queue tag",
		} {
			q := mq.Queue(name)
			for op, use := range map[string]func() error{
				"send":        func() error { _, err := q.Send(ctx, nil); return err },
				"send opts":   func() error { _, err := q.Send(ctx, nil, leanmq.ID("x")); return err },
				"send many":   func() error { _, err := q.SendMany(ctx, make([][]byte, 1)); return err },
				"consume":     func() error { return q.Consume(ctx, new(record).done) },
				"puller":      func() error { _, err := q.Puller(); return err },
				"request":     func() error { _, err := in.Request(ctx, q, nil); return err },
				"info":        func() error { _, err := q.Info(ctx); return err },
				"create":      func() error { return q.Create(ctx) },
				"delete":      func() error { return q.Delete(ctx) },
				"force":       func() error { return q.ForceDelete(ctx) },
				"dead letter": func() error { _, err := q.DeadLetter(ctx, "1-1"); return err },
				"requeue":     func() error { _, err := q.Requeue(ctx, "1-1"); return err },
				"requeue all": func() error { _, err := q.RequeueAll(ctx); return err },
				"purge":       func() error { _, err := q.PurgeDead(ctx); return err },
				"scheduled":   func() error { _, err := q.Scheduled(ctx, 1); return err },
				"dead letters": func() (err error) {
					for _, err = range q.DeadLetters(ctx) {
					}
					return err
				},
				"waiting": func() (err error) {
					for _, err = range q.Waiting(ctx) {
					}
					return err
				},
			} {
				t.Run(op, func(t *testing.T) { isInvalid(t, use(), field) })
			}
		}
	})
}

// The fault is the option's, whichever was given first.
func TestBadNameIsNotHiddenByAnOption(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		_, err := open(t, url).Queue("", leanmq.MaxLen(5)).Send(t.Context(), nil)
		isInvalid(t, err, "queue name")
	})
}

func TestFullQueueRefuses(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("jobs", leanmq.MaxLen(3))
		send(t, q, "ready")
		send(t, q, "scheduled", leanmq.Delay(time.Hour))
		ids, err := q.SendMany(t.Context(), [][]byte{[]byte("third"), []byte("fourth"), []byte("fifth")})
		if !errors.Is(err, leanmq.ErrQueueFull) || len(ids) != 3 || ids[0] == "" || ids[1] != "" || ids[2] != "" {
			t.Errorf("%q, %v", ids, err)
		}
		var joined interface{ Unwrap() []error }
		if ok := errors.As(err, &joined); !ok || len(joined.Unwrap()) != 2 {
			t.Errorf("%v does not have one error for each of 2", err)
		}
		for _, opts := range [][]leanmq.SendOption{nil, {leanmq.ID("x")}, {leanmq.Delay(time.Hour)}} {
			id, err := q.Send(t.Context(), nil, opts...)
			var where *leanmq.Error
			if !errors.Is(err, leanmq.ErrQueueFull) || errors.Is(err, leanmq.ErrUnknown) || !errors.As(err, &where) || where.Queue != "jobs" || id != "" {
				t.Errorf("%q, %v", id, err)
			}
		}
		if i := info(t, q); i.Ready != 2 || i.Scheduled != 1 {
			t.Errorf("%+v", i)
		}
		send(t, mq.Queue("jobs"), "another handle has no limit")
		var got record
		c := consume(t, q, got.done)
		got.wait(t, 3)
		_ = c.Stop()
		send(t, q, "there is room again", leanmq.ID("x"))
	})
}
