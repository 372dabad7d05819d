package leanmq_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// sendFirst is send middleware that calls f and then passes on what it returns.
func sendFirst(f func(ms []*leanmq.Outgoing) ([]*leanmq.Outgoing, error)) leanmq.SendMiddleware {
	return func(next leanmq.SendFunc) leanmq.SendFunc {
		return func(ctx context.Context, ms []*leanmq.Outgoing) error {
			ms, err := f(ms)
			if err != nil {
				return err
			}
			return next(ctx, ms)
		}
	}
}

func TestSendMiddlewareIsAroundEveryWayOfSending(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var calls []string
		made := 0
		by := func(name string) leanmq.SendMiddleware {
			return func(next leanmq.SendFunc) leanmq.SendFunc {
				made++
				return func(ctx context.Context, ms []*leanmq.Outgoing) error {
					call := name
					for _, m := range ms {
						call += fmt.Sprintf(" %s/%s/%s/%s", m.Queue, m.Target, m.ID, m.Payload)
						m.Header["trail"] += name
						m.Payload = append(slices.Clone(m.Payload), name...)
					}
					calls = append(calls, call)
					err := next(ctx, ms)
					for _, m := range ms {
						if m.Err != nil || m.ID == "" {
							t.Errorf("%s: id %q, error %v after the send", name, m.ID, m.Err)
						}
					}
					calls = append(calls, "/"+name)
					return err
				}
			}
		}
		mq := open(t, url, leanmq.UseSend(by("a"), by("b")), leanmq.UseSend(by("c")))
		q := mq.Queue("jobs")
		var got record
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			got.add(m)
			m.Reply(leanmq.Reply{Status: 201, Payload: m.Payload})
			return nil
		})

		for what, one := range map[string]struct {
			send  func() (ids []string, err error)
			calls string
		}{
			"plain": {func() ([]string, error) {
				id, err := q.Send(t.Context(), []byte("1"))
				return []string{id}, err
			}, "a jobs///1; b jobs///1a; c jobs///1ab; /c; /b; /a"},
			"options": {func() ([]string, error) {
				id, err := q.Send(t.Context(), []byte("2"), leanmq.ID("id2"), leanmq.Target("T"), leanmq.Delay(time.Millisecond),
					leanmq.WithHeader("mine", "yes"))
				return []string{id}, err
			}, "a jobs/T/id2/2; b jobs/T/id2/2a; c jobs/T/id2/2ab; /c; /b; /a"},
			"many": {func() ([]string, error) {
				return q.SendMany(t.Context(), [][]byte{[]byte("3"), []byte("4")}, leanmq.WithHeader("mine", "yes"))
			}, "a jobs///3 jobs///4; b jobs///3a jobs///4a; c jobs///3ab jobs///4ab; /c; /b; /a"},
			"many on terms": {func() ([]string, error) {
				return q.SendMany(t.Context(), [][]byte{[]byte("5"), []byte("6")}, leanmq.Delay(time.Millisecond))
			}, "a jobs///5 jobs///6; b jobs///5a jobs///6a; c jobs///5ab jobs///6ab; /c; /b; /a"},
			"request": {func() ([]string, error) {
				r, err := openInbox(t, mq).Request(t.Context(), q, []byte("7"), leanmq.ID("id7"))
				if err == nil && (r.Status != 201 || string(r.Payload) != "7abc") {
					t.Errorf("replied %d %s", r.Status, r.Payload)
				}
				return []string{"id7"}, err
			}, "a jobs//id7/7; b jobs//id7/7a; c jobs//id7/7ab; /c; /b; /a"},
			"none": {func() ([]string, error) { return q.SendMany(t.Context(), nil) }, ""},
		} {
			calls = nil
			before := got.count()
			ids, err := one.send()
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
			if s := strings.Join(calls, "; "); s != one.calls {
				t.Errorf("%s went %q, want %q", what, s, one.calls)
			}
			for _, m := range got.wait(t, before+len(ids))[before:] {
				if !slices.Contains(ids, m.ID) || !strings.HasSuffix(m.Payload, "abc") || m.Header.Get("trail") != "abc" {
					t.Errorf("%s: arrived as %+v, sent as %v", what, m, ids)
				}
			}
		}
		if made != 3 {
			t.Errorf("3 middlewares were composed %d times", made)
		}
		for _, m := range got.list() {
			if mine := m.Header.Get("mine"); (mine == "yes") != strings.ContainsAny(m.Payload, "234") {
				t.Errorf("%s has lost its sender's header, or got another's: %v", m.Payload, m.Header)
			}
		}
	})
}

func TestSendMiddlewareMayTryAgain(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		again := func(next leanmq.SendFunc) leanmq.SendFunc {
			return func(ctx context.Context, ms []*leanmq.Outgoing) error {
				err := next(ctx, ms)
				if errors.Is(err, leanmq.ErrQueueFull) {
					if n, derr := drainOne(ctx, q); derr != nil || n != 1 {
						t.Errorf("%d, %v", n, derr)
					}
					err = next(ctx, ms)
				}
				return err
			}
		}
		full := open(t, url, leanmq.UseSend(again)).Queue("jobs", leanmq.MaxLen(2))
		ids, err := full.SendMany(t.Context(), [][]byte{[]byte("1"), []byte("2"), []byte("3")})
		if err != nil || len(ids) != 3 || slices.Contains(ids, "") {
			t.Fatal(ids, err)
		}
		// The first one was taken out to make room: it was not sent once more.
		var got []string
		for m, err := range q.Waiting(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(m.Payload))
		}
		if fmt.Sprint(got) != "[2 3]" {
			t.Errorf("waiting: %q, want each message once", got)
		}
	})
}

// drainOne takes one message out of the queue.
func drainOne(ctx context.Context, q *leanmq.Queue) (int, error) {
	p, err := q.Puller()
	if err != nil {
		return 0, err
	}
	defer func() { _ = p.Close() }()
	ms, err := p.Receive(ctx, 1)
	for _, m := range ms {
		err = errors.Join(err, m.Done(ctx))
	}
	return len(ms), err
}

// The caller has his payload back when Send returns, also when that is because of a
// time-out that a middleware has set.
func TestSendMiddlewareMayBoundTheTime(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var limit time.Duration
		mq := open(t, url, leanmq.UseSend(func(next leanmq.SendFunc) leanmq.SendFunc {
			return func(ctx context.Context, ms []*leanmq.Outgoing) error {
				ctx, cancel := context.WithTimeout(ctx, limit)
				defer cancel()
				return next(ctx, ms)
			}
		}))
		q := mq.Queue("jobs")
		const size = 1 << 14
		payload, given := make([]byte, size), bytes.Repeat([]byte{1}, size)
		bounded := 0
		for i := range 25 {
			limit = time.Duration(i) * 50 * time.Microsecond
			for _, send := range []func() error{
				func() error { _, err := q.Send(context.Background(), payload); return err },
				func() error { _, err := q.SendMany(context.Background(), [][]byte{payload, payload}); return err },
			} {
				copy(payload, given)
				err := send()
				clear(payload) // while it may still be under way
				if errors.Is(err, context.DeadlineExceeded) {
					bounded++
				} else if err != nil {
					t.Error(err)
				}
			}
		}
		if bounded == 0 {
			t.Error("no send ended by the middleware's time-out")
		}
		for m, err := range q.Waiting(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(m.Payload, given) {
				t.Fatal("a message has bytes that its sender wrote after the send")
			}
		}
	})
}
