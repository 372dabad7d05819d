package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

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
