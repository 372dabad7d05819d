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

	"github.com/leanmq/leanmq/internal/lazyctx"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

func openInbox(t testing.TB, mq *leanmq.Client) *leanmq.Inbox {
	t.Helper()
	in, err := mq.OpenInbox(t.Context())
	return testkit.Opened(t, in, err)
}

func TestRequestIsAnswered(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("jobs")
		consume(t, open(t, url).Queue("jobs"), func(_ context.Context, m *leanmq.Message) error {
			if !m.WantsReply() || m.Header.Get("kk") != "v" || m.Target != "POST /x" || m.Deadline.IsZero() {
				t.Errorf("%+v", see(m))
			}
			m.Reply(leanmq.Reply{Status: 1})
			m.Reply(leanmq.Reply{Status: 201, Header: leanmq.Header{"Content-Type": "a/b", "xx": ""}, Payload: append([]byte("\x00re: "), m.Payload...)})
			return nil
		})
		in := openInbox(t, mq)
		for range 3 {
			r, err := in.Request(t.Context(), q, []byte("\xff"), leanmq.WithHeader("kk", "v"), leanmq.Target("POST /x"))
			if err != nil {
				t.Fatal(err)
			}
			if r.Status != 201 || string(r.Payload) != "\x00re: \xff" || !maps.Equal(r.Header, leanmq.Header{"Content-Type": "a/b", "xx": ""}) {
				t.Errorf("%+v", r)
			}
		}
		becomesEmpty(t, q)
		if s := in.Stats(); s != (leanmq.InboxStats{}) {
			t.Errorf("%+v", s)
		}
	})
}

func TestInboxesNeverSeeEachOthersReplies(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		for range 2 {
			consume(t, open(t, url).Queue("jobs"), func(_ context.Context, m *leanmq.Message) error {
				m.Reply(leanmq.Reply{Status: 200, Payload: m.Payload})
				return nil
			})
		}
		shared := open(t, url)
		inboxes := []*leanmq.Inbox{openInbox(t, shared), openInbox(t, shared), openInbox(t, open(t, url))}
		var wg sync.WaitGroup
		for i, in := range inboxes {
			q := shared.Queue("jobs")
			for n := range 200 {
				wg.Go(func() {
					question := fmt.Sprintf("inbox %d, request %d", i, n)
					r, err := in.Request(t.Context(), q, []byte(question))
					if err != nil || string(r.Payload) != question {
						t.Errorf("%s: %+v, %v", question, r, err)
					}
				})
			}
		}
		wg.Wait()
		for i, in := range inboxes {
			if s := in.Stats(); s != (leanmq.InboxStats{}) {
				t.Errorf("inbox %d: %+v", i, s)
			}
		}
		becomesEmpty(t, shared.Queue("jobs"))
	})
}

func TestRequestThatNobodyAnswersEndsInTime(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("jobs")
		in := openInbox(t, mq)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // enough to be sent
		defer cancel()
		begin := time.Now()
		_, err := in.Request(ctx, q, []byte("too late"))
		var where *leanmq.Error
		if !errors.Is(err, leanmq.ErrNoReply) || !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &where) || where.ID == "" {
			t.Errorf("%v", err)
		}
		if took := time.Since(begin); took > 2900*time.Millisecond { // a blocked read takes 2 s
			t.Errorf("it took %v", took)
		}
		cause := errors.New("went home")
		gone, leave := context.WithCancelCause(t.Context())
		time.AfterFunc(20*time.Millisecond, func() { leave(cause) })
		if _, err := in.Request(gone, q, []byte("nobody waits"), leanmq.TTL(100*time.Millisecond)); !errors.Is(err, cause) || errors.Is(err, leanmq.ErrNoReply) {
			t.Errorf("%v", err)
		}
		if s := in.Stats(); s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
		// Its time is over: no handler ever sees it.
		expire(100 * time.Millisecond)
		send(t, q, "good")
		var got record
		consume(t, q, got.done, leanmq.Concurrency(1))
		becomesEmpty(t, q)
		if p := got.payloads(); len(p) != 1 || p[0] != "good" {
			t.Errorf("handled: %q", p)
		}
	})
}

func TestLateReplyIsDroppedAndCounted(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("jobs")
		running, finish := make(chan struct{}), make(chan struct{})
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			if string(m.Payload) == "late" {
				close(running)
				<-finish
			}
			m.Reply(leanmq.Reply{Status: 200, Payload: m.Payload})
			return nil
		})
		in := openInbox(t, mq)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-running
			cancel()
		}()
		if _, err := in.Request(ctx, q, []byte("late")); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		close(finish)
		eventually(t, "the late reply is counted", func() bool { return in.Stats().Dropped == 1 })
		r, err := in.Request(t.Context(), q, []byte("in time"))
		if err != nil || string(r.Payload) != "in time" {
			t.Errorf("%+v, %v", r, err)
		}
		becomesEmpty(t, q)
	})
}

// Callers go away at any moment, just when their replies arrive as well, and others
// come: each gets its own reply or none.
func TestRepliesOfCallersThatWentAwayReachNobodyElse(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("jobs")
		consume(t, open(t, url).Queue("jobs"), func(_ context.Context, m *leanmq.Message) error {
			m.Reply(leanmq.Reply{Payload: m.Payload})
			return nil
		}, leanmq.Concurrency(16))
		in := openInbox(t, mq)
		var callers sync.WaitGroup
		var answered atomic.Int64
		for caller := range 16 {
			callers.Go(func() {
				for i := range 50 {
					ctx, cancel := context.WithCancel(t.Context())
					if i%2 == 0 {
						time.AfterFunc(time.Duration(i*caller)*10*time.Microsecond, cancel)
					}
					asked := fmt.Sprintf("%d of %d", i, caller)
					r, err := in.Request(ctx, q, []byte(asked))
					cancel()
					switch {
					case err == nil && string(r.Payload) != asked:
						t.Errorf("asked %q and got %q", asked, r.Payload)
					case err == nil:
						answered.Add(1)
					case i%2 != 0 || !errors.Is(err, context.Canceled):
						t.Errorf("%q: %v", asked, err)
					}
				}
			})
		}
		callers.Wait()
		if n := answered.Load(); n < 16*25 {
			t.Errorf("%d were answered: those alone that stayed are %d", n, 16*25)
		}
		if n := in.Stats().Waiting; n != 0 {
			t.Errorf("%d wait still", n)
		}
	})
}

// A request that was not sent, or of which a middleware says so, does not wait.
func TestRequestThatFailsAtItsSendDoesNotWait(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		wrong := errors.New("wrong")
		mq := open(t, url, leanmq.UseSend(func(next leanmq.SendFunc) leanmq.SendFunc {
			return func(ctx context.Context, ms []*leanmq.Outgoing) error {
				if string(ms[0].Payload) == "panic" {
					panic(wrong)
				}
				return errors.Join(next(ctx, ms), wrong)
			}
		}))
		in := openInbox(t, mq)
		if _, err := in.Request(t.Context(), mq.Queue("jobs"), nil); !errors.Is(err, wrong) {
			t.Error(err)
		}
		func() {
			defer func() {
				if v, _ := recover().(error); !errors.Is(v, wrong) {
					t.Errorf("it panics with %v", v)
				}
			}()
			_, _ = in.Request(t.Context(), mq.Queue("jobs"), []byte("panic"))
		}()
		if n := in.Stats().Waiting; n != 0 {
			t.Errorf("%d wait still", n)
		}
	})
}

// A middleware that keeps the context of a send, and asks somebody else with it, is let go
// when that send's caller is.
func TestRequestEndsWithTheRequestWhoseContextItHas(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		other := open(t, url)
		aside, nobody := openInbox(t, other), other.Queue("nobody")
		asked := make(chan error, 1)
		mq := open(t, url, leanmq.UseSend(func(next leanmq.SendFunc) leanmq.SendFunc {
			return func(ctx context.Context, ms []*leanmq.Outgoing) error {
				go func() {
					_, err := aside.Request(ctx, nobody, nil)
					asked <- err
				}()
				eventually(t, "it is asked", func() bool { return info(t, nobody).Ready == 1 })
				return next(ctx, ms)
			}
		}))
		q := mq.Queue("jobs")
		consume(t, q, func(context.Context, *leanmq.Message) error { return nil })
		ctx := lazyctx.WithTimeout(t.Context(), time.Hour) // as that of a gateway's
		_, err := openInbox(t, mq).Request(ctx, q, nil)
		ctx.End(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := testkit.Receive(t, "its end", asked); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestInboxOfAProcessThatDiedExpires(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		openInbox(t, open(t, url))
		c := rawClient(t, url)
		keys := c.Keys(t.Context(), "*inbox*").Val()
		if len(keys) != 1 {
			t.Fatalf("inboxes: %v", keys)
		}
		if ttl := c.PTTL(t.Context(), keys[0]).Val(); ttl <= 0 || ttl > time.Minute {
			t.Errorf("it lives for %v", ttl)
		}
	})
}

func TestRequestReportsWhyItWasNotSent(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		in := openInbox(t, mq)
		_, err := in.Request(t.Context(), mq.Queue("jobs"), nil, leanmq.TTL(0))
		isInvalid(t, err, "TTL")
		full := mq.Queue("jobs", leanmq.MaxLen(1))
		send(t, full, "x")
		if _, err := in.Request(t.Context(), full, nil); !errors.Is(err, leanmq.ErrQueueFull) {
			t.Errorf("%v", err)
		}
		send(t, mq.Queue("other"), "x", leanmq.ID("once"))
		if _, err := in.Request(t.Context(), mq.Queue("other"), nil, leanmq.ID("once")); !errors.Is(err, leanmq.ErrDuplicate) {
			t.Errorf("%v", err)
		}
		if s := in.Stats(); s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestInboxWorksAgainAfterAFlush(t *testing.T) {
	t.Parallel()
	url := redistest.Server(t).URL()
	mq := open(t, url)
	q := mq.Queue("jobs")
	consume(t, q, func(context.Context, *leanmq.Message) error { return nil })
	in := openInbox(t, mq)
	if _, err := in.Request(t.Context(), q, nil); err != nil {
		t.Fatal(err)
	}
	if err := rawClient(t, url).FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, "a request is answered", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := in.Request(ctx, q, nil)
		return err == nil
	})
}

// Whatever its reader was doing: traffic ends in the middle of some read.
func TestInboxClosesAtOnce(t *testing.T) {
	server := redistest.Server(t)
	mq := open(t, server.URL())
	q := mq.Queue("jobs")
	consume(t, q, func(context.Context, *leanmq.Message) error { return nil })
	for round := range 30 {
		in := openInbox(t, mq)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if _, err := in.Request(t.Context(), q, nil); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		begin := time.Now()
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took > 1900*time.Millisecond {
			t.Fatalf("round %d: it took %v to close", round, took)
		}
	}
}
