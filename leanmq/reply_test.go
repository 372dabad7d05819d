package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestHandlerWithoutReplyStillAnswers(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("jobs")
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			switch string(m.Payload) {
			case "error":
				return errors.New("secret of the server")
			case "reject":
				return leanmq.Reject(errors.New("secret of the server"))
			case "panic":
				panic("secret of the server")
			case "reply and error":
				m.Reply(leanmq.Reply{Status: 409, Payload: []byte("told")})
				return errors.New("for the log")
			case "retry too late":
				return leanmq.RetryAfter(time.Hour, errors.New("secret of the server"))
			}
			return nil
		})
		in := openInbox(t, mq)
		for what, want := range map[string]leanmq.Reply{
			"nothing": {Status: 200}, "error": {Status: 500}, "reject": {Status: 500}, "panic": {Status: 500},
			"reply and error": {Status: 409, Payload: []byte("told")}, "retry too late": {Status: 500},
		} {
			r, err := in.Request(t.Context(), q, []byte(what))
			if err != nil || r.Status != want.Status || string(r.Payload) != string(want.Payload) || len(r.Header) != 0 {
				t.Errorf("%s: %+v, %v", what, r, err)
			}
		}
		// The callers were told: nothing is tried again, nothing is dead.
		becomesEmpty(t, q)
	})
}

func TestReplyWithoutACallerDoesNothing(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		var runs atomic.Int64
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			if m.WantsReply() {
				t.Error("nobody waits")
			}
			m.Reply(leanmq.Reply{Status: 200})
			if runs.Add(1) == 1 {
				return errors.New("is retried all the same")
			}
			return nil
		}, quick)
		send(t, q, "x")
		eventually(t, "it is retried", func() bool { return runs.Load() == 2 })
		becomesEmpty(t, q)
	})
}

// Names of one letter are LeanMQ's own: a handler's must not forge them.
func TestReplyHeadersCannotChangeTheReply(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("jobs")
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			m.Reply(leanmq.Reply{Status: 200, Payload: []byte("payload"), Header: leanmq.Header{
				"p": "forged", "s": "418", "c": "somebody else", "": "x", "xx": "y",
			}})
			return nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		r, err := openInbox(t, mq).Request(ctx, q, nil)
		if err != nil || r.Status != 200 || string(r.Payload) != "payload" || !maps.Equal(r.Header, leanmq.Header{"xx": "y"}) {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestReplyToAnInboxThatIsGoneHarmsNobody(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("jobs")
		running, finish := make(chan struct{}), make(chan struct{})
		var once sync.Once
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			once.Do(func() { close(running) })
			<-finish
			m.Reply(leanmq.Reply{Status: 200})
			return nil
		})
		in := openInbox(t, mq)
		result := make(chan error, 1)
		go func() {
			_, err := in.Request(context.Background(), q, nil)
			result <- err
		}()
		receive(t, "the handler runs", running)
		for range 2 {
			if err := in.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := receive(t, "the request ends", result); !errors.Is(err, leanmq.ErrClosed) {
			t.Errorf("%v", err)
		}
		if _, err := in.Request(t.Context(), q, nil); !errors.Is(err, leanmq.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		close(finish)
		becomesEmpty(t, q)
		for _, key := range rawClient(t, url).Keys(t.Context(), "*inbox*").Val() {
			t.Errorf("left: %s", key)
		}
	})
}

func TestRepliesDoNotPileUp(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("jobs")
		consume(t, q, func(context.Context, *leanmq.Message) error { return nil })
		in := openInbox(t, mq)
		c := rawClient(t, url)
		key := c.Keys(t.Context(), "*inbox*").Val()[0]
		for range 100 {
			if _, err := in.Request(t.Context(), q, nil); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "what was read is deleted", func() bool { return c.XLen(t.Context(), key).Val() <= 1 })
	})
}

func TestRetryAfterWithinTheDeadlineIsAnsweredLater(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("jobs")
		var got record
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			got.add(m)
			if m.Attempt < 3 {
				m.Reply(leanmq.Reply{Status: 503}) // not the last word
				return leanmq.RetryAfter(20*time.Millisecond, errors.New("busy"))
			}
			m.Reply(leanmq.Reply{Status: 200, Payload: []byte(fmt.Sprint("attempt ", m.Attempt))})
			return nil
		})
		r, err := openInbox(t, mq).Request(t.Context(), q, nil)
		if err != nil || r.Status != 200 || string(r.Payload) != "attempt 3" {
			t.Errorf("%+v, %v", r, err)
		}
		all := got.list()
		for _, m := range all {
			if !m.Deadline.Equal(all[0].Deadline) {
				t.Errorf("the deadline moved from %v to %v", all[0].Deadline, m.Deadline)
			}
		}
		becomesEmpty(t, q)
	})
}

// The worker that had the request dies: the caller gets one answer, from the next.
func TestRequestSurvivesItsWorker(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("jobs")
		in := openInbox(t, mq)
		type answer struct {
			r   *leanmq.Reply
			err error
		}
		result := make(chan answer, 1)
		go func() {
			r, err := in.Request(context.Background(), q, []byte("x"))
			result <- answer{r, err}
		}()
		victim := newPuller(t, q)
		stale := pull(t, victim, 1)[0]
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			m.Reply(leanmq.Reply{Status: 200, Payload: []byte(fmt.Sprint("delivery ", m.Deliveries))})
			return nil
		}, leanmq.Lease(200*time.Millisecond))
		a := receive(t, "an answer", result)
		if a.err != nil || string(a.r.Payload) != "delivery 2" {
			t.Errorf("%+v, %v", a.r, a.err)
		}
		becomesEmpty(t, q)
		stale.Reply(leanmq.Reply{Status: 500})
		if err := stale.Done(t.Context()); !errors.Is(err, leanmq.ErrLeaseLost) {
			t.Errorf("%v", err)
		}
		if s := in.Stats(); s.Waiting != 0 || s.Dropped > 1 {
			t.Errorf("%+v", s)
		}
	})
}
