package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

var keep = leanmq.KeepResult(time.Minute)

type outcome struct {
	result *leanmq.Result
	err    error
}

// await waits for a result in the background.
func await(q *leanmq.Queue, id string) <-chan outcome {
	c := make(chan outcome, 1)
	go func() {
		ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
		defer stop()
		r, err := q.Result(ctx, id)
		c <- outcome{r, err}
	}()
	return c
}

func TestResultSaysHowAMessageEnded(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		begin := time.Now()
		var ids []string
		for _, p := range []string{"set", "replied", "nothing", "retried", "dead", "canceled"} {
			ids = append(ids, send(t, q, p, leanmq.ID(p), keep))
		}
		var early []<-chan outcome // from several processes
		for range 2 {
			other := open(t, url).Queue("q")
			for _, id := range ids {
				early = append(early, await(other, id))
			}
		}
		cancel(t, q, "canceled", false)
		consume(t, open(t, url).Queue("q"), func(_ context.Context, m *leanmq.Message) error {
			switch m.ID {
			case "set":
				m.SetResult([]byte("first"))
				m.SetResult([]byte("second"))
			case "replied":
				m.Reply(leanmq.Reply{Status: 200, Payload: []byte("body")})
			case "retried":
				m.SetResult(fmt.Append(nil, "attempt ", m.Attempt))
				if m.Attempt == 1 {
					return errors.New("not yet")
				}
			case "dead":
				m.SetResult([]byte("not kept"))
				return leanmq.Reject(errors.New("no good"))
			}
			return nil
		}, quick)
		want := map[string]leanmq.Result{
			"set":      {Status: leanmq.ResultDone, Payload: []byte("second")},
			"replied":  {Status: leanmq.ResultDone, Payload: []byte("body")},
			"nothing":  {Status: leanmq.ResultDone},
			"retried":  {Status: leanmq.ResultDone, Payload: []byte("attempt 2")},
			"dead":     {Status: leanmq.ResultDead, Error: "no good"},
			"canceled": {Status: leanmq.ResultCanceled},
		}
		check := func(o outcome) {
			t.Helper()
			if o.err != nil {
				t.Error(o.err)
				return
			}
			w, r := want[o.result.ID], o.result
			if r.Status != w.Status || string(r.Payload) != string(w.Payload) || r.Error != w.Error {
				t.Errorf("%+v, want %+v", r, w)
			}
			if r.At.Before(begin.Add(-time.Minute)) || r.At.After(time.Now().Add(time.Minute)) {
				t.Errorf("%s ended at %v", r.ID, r.At)
			}
		}
		for _, c := range early {
			check(receive(t, "a result that was waited for", c))
		}
		for _, id := range ids { // after the end, any number of times
			check(receive(t, "a result", await(q, id)))
			check(receive(t, "a result", await(open(t, url).Queue("q"), id)))
		}
	})
}

func TestResultWithoutWaiting(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		ended, stop := context.WithCancelCause(t.Context())
		stop(errors.New("no time"))
		id := send(t, q, "x", keep)
		r, err := q.Result(ended, id)
		var where *leanmq.Error
		if r != nil || !errors.Is(err, leanmq.ErrNoResult) || !errors.As(err, &where) || where.ID != id {
			t.Errorf("%v, %v", r, err)
		}
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			m.SetResult([]byte("y"))
			return nil
		})
		becomesEmpty(t, q)
		if r, err := q.Result(ended, id); err != nil || string(r.Payload) != "y" {
			t.Errorf("%v, %v", r, err)
		}
	})
}

func TestResultOfNothing(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		var got record
		consume(t, q, func(ctx context.Context, m *leanmq.Message) error {
			m.SetResult([]byte("not asked for"))
			return got.done(ctx, m)
		})
		id := send(t, q, "without KeepResult")
		got.wait(t, 1)
		becomesEmpty(t, q)
		for _, id := range []string{id, "unknown"} {
			short, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
			_, err := q.Result(short, id)
			stop()
			if !errors.Is(err, leanmq.ErrNoResult) || !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, leanmq.ErrUnavailable) {
				t.Errorf("%s: %v", id, err)
			}
		}
		for _, d := range []time.Duration{0, time.Microsecond, 31 * 24 * time.Hour} {
			_, err := q.Send(t.Context(), nil, leanmq.KeepResult(d))
			isInvalid(t, err, "KeepResult")
		}
		_, err := open(t, url).Queue("{").Result(t.Context(), "x")
		isInvalid(t, err, "queue name")
	})
}

func TestResultIsKeptForItsTime(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		var got record
		consume(t, q, got.done)
		id := send(t, q, "x", leanmq.KeepResult(300*time.Millisecond))
		if o := receive(t, "a result", await(q, id)); o.err != nil {
			t.Fatal(o.err)
		}
		eventually(t, "the result is gone", func() bool { return resultOf(t, q, id) == nil })
		send(t, q, "x", leanmq.ID("longer"), keep)
		eventually(t, "a result", func() bool { return resultOf(t, q, "longer") != nil })
		ttl := rawClient(t, url).PTTL(t.Context(), "leanmq:{q}:q:result:longer").Val()
		if ttl < 40*time.Second || ttl > time.Minute {
			t.Errorf("kept for %v", ttl)
		}
	})
}

// The result goes in before anybody is told, and the one who waits looks by itself.
func TestResultIsFoundWithoutItsNotice(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		waiting := await(open(t, url).Queue("q"), "x")
		raw := rawClient(t, url)
		eventually(t, "somebody listens", func() bool {
			return raw.PubSubNumSub(t.Context(), "leanmq:{q}:q:results").Val()["leanmq:{q}:q:results"] == 1
		})
		time.Sleep(50 * time.Millisecond) // it has looked once more after that
		raw.Set(t.Context(), "leanmq:{q}:q:result:x", "4:done1:17:0:3:yes", time.Minute)
		if o := receive(t, "the result", waiting); o.err != nil || string(o.result.Payload) != "yes" {
			t.Errorf("%+v, %v", o.result, o.err)
		}
	})
}

func TestResultIsAwaitedOverARestart(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t, "--appendonly", "yes", "--appendfsync", "always")
	q := open(t, server.URL()).Queue("q")
	id := send(t, q, "x", keep)
	waiting := await(open(t, server.URL()).Queue("q"), id)
	kept := send(t, q, "kept", leanmq.ID("kept"), leanmq.Priority(leanmq.High), keep)
	began, goOn := make(chan bool, 2), make(chan bool)
	consume(t, open(t, server.URL()).Queue("q"), func(_ context.Context, m *leanmq.Message) error {
		began <- true
		<-goOn
		m.SetResult(m.Payload)
		return nil
	})
	receive(t, "a handler that begins", began)
	receive(t, "a handler that begins", began)
	server.Kill()
	close(goOn)
	// One that comes now, and whose time is over before Redis is back.
	short, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	if _, err := q.Result(short, id); !errors.Is(err, leanmq.ErrNoResult) || !errors.Is(err, leanmq.ErrUnavailable) {
		t.Errorf("while Redis is away: %v", err)
	}
	server.Start()
	for id, o := range map[string]outcome{id: receive(t, "the result", waiting), kept: receive(t, "the other one", await(q, kept))} {
		if o.err != nil || o.result.ID != id || o.result.Status != leanmq.ResultDone || len(o.result.Payload) == 0 {
			t.Errorf("%+v, %v", o.result, o.err)
		}
	}
	server.Kill()
	server.Start()
	eventually(t, "the result is still there", func() bool {
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		_, err := q.Result(short, kept)
		return err == nil
	})
}
