package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/leanmq/leanmq/internal/mqtest"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

// outageLog checks that a log has at most one line for the beginning of an outage
// and one for its end, for each loop that noticed it.
func outageLog(t *testing.T, log string, outages int) {
	t.Helper()
	lines := map[string]int{}
	for line := range strings.Lines(log) {
		if _, rest, ok := strings.Cut(line, `"what":"`); ok {
			what, _, _ := strings.Cut(rest, `"`)
			queue := ""
			if _, rest, ok := strings.Cut(line, `"queue":"`); ok {
				queue, _, _ = strings.Cut(rest, `"`)
			}
			lines[what+" "+queue]++
		}
	}
	if len(lines) == 0 {
		t.Errorf("nobody logged the outage:\n%s", log)
	}
	for loop, n := range lines {
		if n > 2*outages {
			t.Errorf("%s logged %d lines for %d outages:\n%s", loop, n, outages, log)
		}
	}
	if n := strings.Count(log, "\n"); n > 20*outages {
		t.Errorf("%d lines for %d outages:\n%s", n, outages, log)
	}
}

func TestConsumersResumeWhenRedisIsBack(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	var log testkit.Log
	mq := open(t, server.URL(), leanmq.Logger(zerolog.New(&log)))
	q := mq.Queue("jobs")
	var got record
	for i := range 3 {
		consume(t, mq.Queue(fmt.Sprint("idle", i)), new(record).done)
	}
	consume(t, q, got.done)
	in := openInbox(t, mq)
	consume(t, mq.Queue("requests"), func(context.Context, *leanmq.Message) error { return nil })
	request := func(limit time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		_, err := in.Request(ctx, mq.Queue("requests"), nil)
		return err
	}
	send(t, q, "before")
	got.wait(t, 1)
	if err := request(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	for outage := range 2 {
		server.Stop()
		begin := time.Now()
		for time.Since(begin) < 700*time.Millisecond {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			called := time.Now()
			_, err := q.Send(ctx, nil)
			if !errors.Is(err, leanmq.ErrUnavailable) {
				t.Errorf("%v", err)
			}
			if took := time.Since(called); took > slack*time.Second {
				t.Errorf("with 200ms to go, Send took %v", took)
			}
			cancel()
			time.Sleep(20 * time.Millisecond) // a caller that is not in a hurry
		}
		server.Start() // empty: nothing was persisted
		var id string
		eventually(t, "a send succeeds", func() bool {
			var err error
			id, err = q.Send(t.Context(), []byte("after"))
			return err == nil
		})
		m := got.wait(t, outage+2)[outage+1]
		if m.ID != id {
			t.Errorf("%+v", m)
		}
		if took := m.At.Sub(m.SentAt); took > slack*4*time.Second {
			t.Errorf("the consumer resumed %v after Redis did", took)
		}
		eventually(t, "a request is answered", func() bool { return request(500*time.Millisecond) == nil })
	}
	outageLog(t, log.String(), 2)
}

func TestConsumerThatStartsDuringAnOutageWaitsForItsEnd(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	var log testkit.Log
	mq := open(t, server.URL(), leanmq.Logger(zerolog.New(&log)))
	server.Stop()
	var got record
	consume(t, mq.Queue("jobs"), got.done)
	waits := consume(t, mq.Queue("cancelled"), got.done)
	eventually(t, "they have noticed", func() bool { return strings.Count(log.String(), `"what":"join"`) >= 2 })
	begin := time.Now()
	if err := waits.Stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > slack*time.Second {
		t.Errorf("it took %v to stop", took)
	}
	server.Start()
	eventually(t, "a send succeeds", func() bool {
		_, err := mq.Queue("jobs").Send(t.Context(), []byte("x"))
		return err == nil
	})
	got.wait(t, 1)
	outageLog(t, log.String(), 1)
}

func TestConsumerStopsDuringAnOutage(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	mq := open(t, server.URL())
	running, finish := make(chan struct{}), make(chan struct{})
	c := consume(t, mq.Queue("jobs"), func(context.Context, *leanmq.Message) error {
		close(running)
		<-finish
		return nil
	}, leanmq.DrainTimeout(time.Second))
	send(t, mq.Queue("jobs"), "x")
	receive(t, "the handler runs", running)
	server.Stop()
	close(finish)
	begin := time.Now()
	_ = c.Stop()
	if took := time.Since(begin); took > 8*time.Second {
		t.Errorf("it took %v to stop", took)
	}
}

func TestCallsEndInTimeWhenRedisDoesNotAnswer(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	var log testkit.Log
	mq := open(t, server.URL(), leanmq.Logger(zerolog.New(&log)))
	q := mq.Queue("jobs")
	var got record
	consume(t, q, got.done)
	in := openInbox(t, mq)
	stops := consume(t, mq.Queue("stops"), got.done)
	send(t, q, "before")
	got.wait(t, 1)

	server.Pause()
	var wg sync.WaitGroup
	wg.Go(func() {
		begin := time.Now()
		_ = stops.Stop()
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("a consumer took %v to stop", took)
		}
	})
	for op, use := range map[string]func(ctx context.Context) error{
		"send":      func(ctx context.Context) error { _, err := q.Send(ctx, []byte("x")); return err },
		"send opts": func(ctx context.Context) error { _, err := q.Send(ctx, nil, leanmq.ID("x")); return err },
		"send many": func(ctx context.Context) error { _, err := q.SendMany(ctx, make([][]byte, 2)); return err },
		"info":      func(ctx context.Context) error { _, err := q.Info(ctx); return err },
		"request":   func(ctx context.Context) error { _, err := in.Request(ctx, q, nil); return err },
		"requeue":   func(ctx context.Context) error { _, err := q.RequeueAll(ctx); return err },
		"ping":      mq.Ping,
		"inbox":     func(ctx context.Context) error { _, err := mq.OpenInbox(ctx); return err },
		"open":      func(ctx context.Context) error { _, err := leanmq.Open(ctx, server.URL()); return err },
	} {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			begin := time.Now()
			err := use(ctx)
			if !errors.Is(err, leanmq.ErrUnavailable) {
				t.Errorf("%s: %v", op, err)
			}
			if took := time.Since(begin); took > slack*1500*time.Millisecond {
				t.Errorf("with 300ms to go, %s took %v", op, took)
			}
		})
		if op != "send" && op != "info" {
			continue
		}
		wg.Go(func() { // without a deadline
			begin := time.Now()
			if err := use(context.Background()); !errors.Is(err, leanmq.ErrUnavailable) {
				t.Errorf("%s: %v", op, err)
			}
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("without a deadline, %s took %v", op, took)
			}
		})
	}
	wg.Wait()
	server.Resume()
	n := got.count()
	id := send(t, q, "after")
	eventually(t, "the consumer resumes", func() bool {
		for _, m := range got.list()[n:] {
			if m.ID == id {
				return true
			}
		}
		return false
	})
	outageLog(t, log.String()+"{\"what\":\"this test\"}\n", 1)
}

// A connection that was cut in the middle of something is nobody's problem.
func TestCutConnectionsAreReplaced(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		p := testkit.NewProxy(t)
		mq := mqtest.OpenBy(t, url, p.Dial)
		q := mq.Queue("jobs")
		var got record
		consume(t, q, got.done, leanmq.Lease(300*time.Millisecond))
		accepted := map[string]bool{}
		for n := range 300 {
			payload := fmt.Sprint(n)
			if n%30 == 29 {
				p.Cut()
			}
			if _, err := q.Send(t.Context(), []byte(payload)); err == nil {
				accepted[payload] = true
			} else if !errors.Is(err, leanmq.ErrUnavailable) {
				t.Errorf("%v", err)
			}
		}
		if len(accepted) < 200 {
			t.Errorf("only %d were accepted", len(accepted))
		}
		becomesEmpty(t, open(t, url).Queue("jobs"))
		for _, payload := range got.payloads() {
			delete(accepted, payload)
		}
		if len(accepted) > 0 {
			t.Errorf("%d accepted messages are lost", len(accepted))
		}
	})
}
