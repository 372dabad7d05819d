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

func TestSendMiddlewareLosesNothingSilently(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		no := errors.New("no such tenant")
		what := ""
		mq := open(t, url, leanmq.UseSend(func(next leanmq.SendFunc) leanmq.SendFunc {
			return func(ctx context.Context, ms []*leanmq.Outgoing) error {
				switch what {
				case "refuse":
					return no
				case "drop":
					return nil
				case "refuse the last":
					last := len(ms) - 1
					ms[last].Err = no
					return next(ctx, ms[:last])
				case "drop the first":
					return next(ctx, ms[1:])
				case "swallow":
					_ = next(ctx, ms)
					return nil
				case "fail afterwards":
					_ = next(ctx, ms)
					return no
				case "wrap":
					if err := next(ctx, ms); err != nil {
						return fmt.Errorf("%w: %w", no, err)
					}
					return nil
				}
				return next(ctx, ms)
			}
		}))
		q := mq.Queue("jobs")
		waiting := int64(0)
		check := func(does string, sent int, wrong error, ids []string, err error) {
			t.Helper()
			var where *leanmq.Error
			if wrong == nil && err != nil || wrong != nil && (!errors.Is(err, wrong) || !errors.As(err, &where) || where.Queue != q.Name()) {
				t.Errorf("%s: error %v, want %v", does, err, wrong)
			}
			n := 0
			for _, id := range ids {
				if id != "" {
					n++
				}
			}
			waiting += int64(sent)
			if n != sent || info(t, q).Ready != waiting {
				t.Errorf("%s: ids %q and %d waiting, want %d and %d", does, ids, info(t, q).Ready, sent, waiting)
			}
		}
		for _, c := range []struct {
			does       string
			one, three int // sent
			wrong      error
			wrongOfAll error
		}{
			{"pass on", 1, 3, nil, nil},
			{"refuse", 0, 0, no, no},
			{"drop", 0, 0, leanmq.ErrNotSent, leanmq.ErrNotSent},
			{"refuse the last", 0, 2, no, no},
			{"drop the first", 0, 2, leanmq.ErrNotSent, leanmq.ErrNotSent},
			{"swallow", 1, 3, nil, nil},
			{"fail afterwards", 1, 3, no, no}, // and the caller knows that it was sent
			{"wrap", 1, 3, nil, nil},
		} {
			what = c.does
			id, err := q.Send(t.Context(), []byte("x"))
			check(what+", one", c.one, c.wrong, []string{id}, err)
			ids, err := q.SendMany(t.Context(), [][]byte{{'1'}, {'2'}, {'3'}})
			check(what+", three", c.three, c.wrongOfAll, ids, err)
		}

		// A queue that has room for one more.
		full := mq.Queue("jobs", leanmq.MaxLen(int(waiting)+1))
		for _, does := range []string{"pass on", "swallow", "wrap"} {
			what = does
			ids, err := full.SendMany(t.Context(), [][]byte{{'1'}, {'2'}})
			sent := 0
			if does == "pass on" {
				sent = 1
				if s := err.Error(); strings.Count(s, "\n") != 0 || !strings.Contains(s, "message #1") {
					t.Errorf("%q, want it to name the second message alone", s)
				}
			}
			check("full, "+does, sent, leanmq.ErrQueueFull, ids, err)
			id, err := full.Send(t.Context(), nil)
			check("full, "+does+", one", 0, leanmq.ErrQueueFull, []string{id}, err)
		}

		// The sender of a duplicate still learns which it is; but a middleware may
		// say that it is none of his business.
		for _, does := range []string{"pass on", "again", "swallow"} {
			what = does
			id, err := mq.Queue("dups").Send(t.Context(), nil, leanmq.ID("once"))
			if id != "once" || errors.Is(err, leanmq.ErrDuplicate) != (does == "again") {
				t.Errorf("%s: %q, %v", does, id, err)
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

func TestWhatSendMiddlewareMakesIsChecked(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var change func(m *leanmq.Outgoing)
		mq := open(t, url, leanmq.UseSend(sendFirst(func(ms []*leanmq.Outgoing) ([]*leanmq.Outgoing, error) {
			change(ms[0])
			return ms, nil
		})))
		q := mq.Queue("jobs")
		for field, f := range map[string]func(m *leanmq.Outgoing){
			"Outgoing.Queue":  func(m *leanmq.Outgoing) { m.Queue = "other" },
			"Outgoing.Target": func(m *leanmq.Outgoing) { m.Target = "other" },
			"Outgoing.ID":     func(m *leanmq.Outgoing) { m.ID = "other" },
			"payload":         func(m *leanmq.Outgoing) { m.Payload = make([]byte, leanmq.MaxPayload+1) },
			"header":          func(m *leanmq.Outgoing) { m.Header[":own"] = "x" },
		} {
			change = f
			id, err := q.Send(t.Context(), nil)
			isInvalid(t, err, field)
			ids, err := q.SendMany(t.Context(), [][]byte{nil, nil})
			isInvalid(t, err, field)
			if id != "" || len(ids) != 2 || ids[0] != "" || ids[1] == "" {
				t.Errorf("%s: ids %q and %q, want only the last one", field, id, ids)
			}
		}
		change = func(m *leanmq.Outgoing) {
			for i := range 129 {
				m.Header[fmt.Sprint("header", i)] = ""
			}
		}
		_, err := q.Send(t.Context(), nil)
		isInvalid(t, err, "header")

		// What is refused without being tried does not get there at all.
		change = func(*leanmq.Outgoing) { t.Error("middleware was called for what is invalid") }
		_, err = q.Send(t.Context(), make([]byte, leanmq.MaxPayload+1))
		isInvalid(t, err, "payload")
		_, err = q.SendMany(t.Context(), [][]byte{nil}, leanmq.ID("x"))
		isInvalid(t, err, "ID")
		_, err = mq.Queue("bad{").Send(t.Context(), nil)
		isInvalid(t, err, "queue name")
	})
}

func TestSendMiddlewareCannotAddMessages(t *testing.T) {
	mq := open(t, "mem://", leanmq.UseSend(sendFirst(func(ms []*leanmq.Outgoing) ([]*leanmq.Outgoing, error) {
		return append(ms, &leanmq.Outgoing{Queue: "jobs"}), nil
	})))
	id, err := mq.Queue("jobs").Send(t.Context(), nil)
	isInvalid(t, err, "Outgoing")
	if i := info(t, mq.Queue("jobs")); id == "" || i.Ready != 1 {
		t.Errorf("id %q, %+v: want the message itself sent, and known to be", id, i)
	}
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
