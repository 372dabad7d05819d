package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

func TestClosedClientRefusesEverything(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		ctx := t.Context()
		mq, err := leanmq.Open(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		q := mq.Queue("jobs")
		send(t, q, "x")
		puller := newPuller(t, q)
		for range 3 {
			if err := mq.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
		for op, use := range map[string]func() error{
			"send":        func() error { _, err := q.Send(ctx, nil); return err },
			"send opts":   func() error { _, err := q.Send(ctx, nil, leanmq.ID("x")); return err },
			"send many":   func() error { _, err := q.SendMany(ctx, make([][]byte, 2)); return err },
			"consume":     func() error { return q.Consume(ctx, new(record).done) },
			"receive":     func() error { _, err := puller.Receive(ctx, 1); return err },
			"open inbox":  func() error { _, err := mq.OpenInbox(ctx); return err },
			"info":        func() error { _, err := q.Info(ctx); return err },
			"queues":      func() error { _, err := mq.Queues(ctx); return err },
			"ping":        func() error { return mq.Ping(ctx) },
			"create":      func() error { return q.Create(ctx) },
			"delete":      func() error { return q.Delete(ctx) },
			"dead letter": func() error { _, err := q.DeadLetter(ctx, "1-1"); return err },
			"requeue":     func() error { _, err := q.Requeue(ctx, "1-1"); return err },
			"requeue all": func() error { _, err := q.RequeueAll(ctx); return err },
			"purge":       func() error { _, err := q.PurgeDead(ctx, "1-1"); return err },
			"purge all":   func() error { _, err := q.PurgeAllDead(ctx); return err },
			"scheduled":   func() error { _, err := q.Scheduled(ctx, 1); return err },
			"dead letters": func() (err error) {
				for _, err = range q.DeadLetters(ctx) {
				}
				return err
			},
		} {
			done := make(chan error, 1)
			go func() { done <- use() }()
			select {
			case err := <-done:
				var where *leanmq.Error
				if !errors.Is(err, leanmq.ErrClosed) || errors.Is(err, leanmq.ErrUnknown) || !errors.As(err, &where) || where.Op == "" {
					t.Errorf("%s: %v", op, err)
				}
			case <-time.After(10 * time.Second):
				t.Errorf("%s does not return", op)
			}
		}
	})
}

func TestClientConsumesAQueueOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		var got record
		c := consume(t, mq.Queue("svc:jobs"), got.done)
		send(t, mq.Queue("svc:jobs"), "x")
		got.wait(t, 1)
		err := mq.Queue("svc:jobs").Consume(t.Context(), got.done)
		var where *leanmq.Error
		if !errors.Is(err, leanmq.ErrConsuming) || !errors.As(err, &where) || where.Queue != "svc:jobs" {
			t.Errorf("%v", err)
		}
		send(t, mq.Queue("svc:jobs"), "the first one goes on")
		got.wait(t, 2)
		consume(t, open(t, url).Queue("svc:jobs"), got.done) // another client may
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		consume(t, mq.Queue("svc:jobs"), got.done) // and so may this one, then
		send(t, mq.Queue("svc:jobs"), "y")
		got.wait(t, 3)
	})
}

func TestConsumeOptionsAreCheckedByName(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		for _, tt := range []struct {
			field string
			opt   leanmq.ConsumeOption
			rule  string
		}{
			{"Concurrency", leanmq.Concurrency(0), "is 0: want 1 to 100000"},
			{"Concurrency", leanmq.Concurrency(-1), "is -1: want 1 to 100000"},
			{"Concurrency", leanmq.Concurrency(100_001), "is 100001: want 1 to 100000"},
			{"Lease", leanmq.Lease(0), "is 0s: want 100ms to 24h"},
			{"Lease", leanmq.Lease(99 * time.Millisecond), "is 99ms: want 100ms to 24h"},
			{"Lease", leanmq.Lease(25 * time.Hour), "is 25h0m0s: want 100ms to 24h"},
			{"DrainTimeout", leanmq.DrainTimeout(0), "is 0s: want 1ms to 24h"},
			{"DrainTimeout", leanmq.DrainTimeout(25 * time.Hour), "is 25h0m0s: want 1ms to 24h"},
			{"MaxDeliveries", leanmq.MaxDeliveries(0), "is 0: want 1 to 1000000"},
			{"OnExpired", leanmq.OnExpired(2), "is 2: want DropExpired or DeadLetterExpired"},
			{"Per", leanmq.LimitTo(leanmq.Limits{Rate: 1, Per: 1}), "is 1ns: want 0, or 1ms to 24h"},
			{"Retry.MaxAttempts", leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: -1}), "is -1: want 1 to 1000000"},
			{"Retry.MinBackoff", leanmq.Retry(leanmq.RetryPolicy{MinBackoff: -time.Second}), "is -1s: want 1ms to 24h"},
			{"Retry.MaxBackoff", leanmq.Retry(leanmq.RetryPolicy{MinBackoff: time.Minute, MaxBackoff: time.Second}), "is 1s: want 1ms to 8760h, and no less than MinBackoff"},
			{"Retry.MaxBackoff", leanmq.Retry(leanmq.RetryPolicy{MaxBackoff: 9000 * time.Hour}), "is 9000h0m0s: want 1ms to 8760h, and no less than MinBackoff"},
		} {
			err := q.Consume(t.Context(), new(record).done, tt.opt)
			isInvalid(t, err, tt.field)
			if bad, ok := errors.AsType[*leanmq.InvalidError](err); ok && bad.Rule != tt.rule {
				t.Errorf("%v does not say %q", err, tt.rule)
			}
		}
		isInvalid(t, q.Consume(t.Context(), nil), "handler")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, opt := range []leanmq.ConsumeOption{
			leanmq.Concurrency(100_000), leanmq.Lease(100 * time.Millisecond), leanmq.DrainTimeout(time.Millisecond), leanmq.MaxDeliveries(1),
			leanmq.Retry(leanmq.RetryPolicy{}), leanmq.Retry(leanmq.RetryPolicy{MinBackoff: time.Hour}), leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 1}),
		} {
			if err := q.Consume(ctx, new(record).done, opt); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestPrefixesSeeNothingOfEachOther(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		a, b := open(t, url, leanmq.Prefix("a")), open(t, url, leanmq.Prefix("b"))
		var got record
		consume(t, b.Queue("jobs"), got.done)
		send(t, a.Queue("jobs"), "a")
		send(t, a.Queue("jobs"), "a", leanmq.Delay(time.Millisecond))
		send(t, b.Queue("jobs"), "b")
		if m := got.wait(t, 1)[0]; m.Payload != "b" {
			t.Errorf("%+v", m)
		}
		if qs, err := b.Queues(t.Context()); err != nil || len(qs) != 1 {
			t.Errorf("%v, %v", qs, err)
		}
		if i := info(t, a.Queue("jobs")); i.Ready+i.Scheduled != 2 {
			t.Errorf("%+v", i)
		}
		for _, bad := range []string{"", "a:b", "a{", "a}", "ü", "a\n", strings.Repeat("x", 65)} {
			_, err := leanmq.Open(t.Context(), url, leanmq.Prefix(bad))
			isInvalid(t, err, "Prefix")
		}
	})
}

func TestWrongURLsAreExplainedWithoutTheirPassword(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"", "redis://"},
		{"localhost:6379", "redis"},
		{"user:hunter2@localhost:6379", "redis"},
		{"http://user:hunter2@localhost", "http"},
		{"redis://user:hunter2@localhost:99999/zero", ""},
		{"redis://user:hunter2@localhost:6379/zero", "database"},
		{"redis://user:hunter2@local host:6379", ""},
		{"redis://user:hun%zzter2@localhost:6379", ""},
		{"redis://user:hunter2@localhost:6379?dial_timeout=hunter2", ""},
		{"redis://user:hunter2@localhost:6379?no_such_option=hunter2", ""},
		{"rediss://user:hunter2@localhost:port", ""},
		{"mem://user:hunter2@name", ""},
	} {
		_, err := leanmq.Open(t.Context(), tt.url)
		isInvalid(t, err, "redis URL")
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "ter2") {
			t.Errorf("%v tells the password", err)
		}
		if !strings.Contains(fmt.Sprint(err), tt.want) {
			t.Errorf("%s: %v does not mention %q", tt.url, err, tt.want)
		}
	}
}

func TestUnreachableServerIsUnavailable(t *testing.T) {
	server := redistest.Server(t)
	url := server.URL()
	server.Stop()
	begin := time.Now()
	_, err := leanmq.Open(t.Context(), strings.Replace(url, "redis://", "redis://user:hunter2@", 1))
	if !errors.Is(err, leanmq.ErrUnavailable) || errors.Is(err, leanmq.ErrUnknown) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
	if took := time.Since(begin); took > slack*2*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestWrongPasswordIsReportedAsOne(t *testing.T) {
	server := redistest.Server(t, "--requirepass", "right")
	_, err := leanmq.Open(t.Context(), strings.Replace(server.URL(), "redis://", "redis://:hunter2@", 1))
	if err == nil || errors.Is(err, leanmq.ErrUnavailable) || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "WRONGPASS") {
		t.Errorf("%v", err)
	}
	mq := open(t, strings.Replace(server.URL(), "redis://", "redis://:right@", 1))
	q := mq.Queue("jobs")
	var got record
	consume(t, q, got.done) // its own connections know the password, too
	send(t, q, "x", leanmq.Delay(time.Millisecond))
	got.wait(t, 1)
}

func TestClientFromOneOfGoRedis(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		rdb := redistest.ClientBy(t, url, nil)
		mq, err := leanmq.New(t.Context(), rdb)
		if err != nil {
			t.Fatal(err)
		}
		q := mq.Queue("jobs")
		var got record
		c := consume(t, q, got.done)
		send(t, q, "x")
		got.wait(t, 1)
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		if err := mq.Close(); err != nil {
			t.Error(err)
		}
		if err := rdb.Ping(t.Context()).Err(); err != nil {
			t.Errorf("Close closed the caller's client: %v", err)
		}
		ring := redis.NewRing(&redis.RingOptions{})
		defer ring.Close()
		if _, err := leanmq.New(t.Context(), ring); err == nil {
			t.Error("a ring was accepted")
		}
	})
}

func TestLogsHoldNoPayloads(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var log testkit.Log
		mq := open(t, url, leanmq.Logger(zerolog.New(&log)))
		q := mq.Queue("jobs")
		var n int
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			if n++; n%2 == 0 {
				panic(errors.New("kaboom"))
			}
			return errors.New("boom")
		}, quick, leanmq.Concurrency(1))
		id := send(t, q, "a secret", leanmq.WithHeader("authorization", "hunter2"))
		oneDead(t, q)
		text := log.String()
		if strings.Contains(text, "a secret") || strings.Contains(text, "hunter2") {
			t.Errorf("%s", text)
		}
		for _, want := range []string{id, "exhausted", `"panic":"kaboom"`, `"queue":"jobs"`} {
			if !strings.Contains(text, want) {
				t.Errorf("the log does not tell %q:\n%s", want, text)
			}
		}
	})
}
