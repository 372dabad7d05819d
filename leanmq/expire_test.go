package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// sendExpired sends messages and returns when their time is up.
func sendExpired(t *testing.T, q *leanmq.Queue, n int) {
	t.Helper()
	if _, err := q.SendMany(t.Context(), make([][]byte, n), leanmq.TTL(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	expire(time.Millisecond)
}

func TestExpiredMessagesAreCountedOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		for _, pulled := range []bool{false, true} {
			for policy, dead := range map[leanmq.ExpiryPolicy]int64{leanmq.DropExpired: 0, leanmq.DeadLetterExpired: 42} {
				t.Run(fmt.Sprintf("policy %d, pulled %v", policy, pulled), func(t *testing.T) {
					mq := open(t, url)
					q := mq.Queue(fmt.Sprintf("q%d%v", policy, pulled))
					sendExpired(t, q, 42)
					send(t, q, "alive")
					if pulled {
						p := newPuller(t, q, leanmq.OnExpired(policy))
						m := pull(t, p, 1)[0]
						if string(m.Payload) != "alive" {
							t.Errorf("received %+v", m.Message)
						}
						if err := m.Done(t.Context()); err != nil {
							t.Fatal(err)
						}
					} else {
						var got record
						c := consume(t, q, got.done, leanmq.OnExpired(policy))
						eventually(t, "all are settled", func() bool { i := info(t, q); return i.Ready+i.InFlight == 0 })
						if err := c.Stop(); err != nil {
							t.Fatal(err)
						}
						if all := got.payloads(); len(all) != 1 || all[0] != "alive" {
							t.Errorf("handled: %q", all)
						}
					}
					want := leanmq.QueueInfo{Name: q.Name(), Dead: dead, Expired: 42}
					i := info(t, q)
					if i.Consumers = 0; i != want {
						t.Errorf("%+v, want %+v", i, want)
					}
					for _, d := range deadLetters(t, q) {
						if d.Reason != leanmq.ReasonExpired || d.Message.Attempt != 0 || d.Message.History() != nil {
							t.Fatalf("%+v", d)
						}
					}
					all, err := mq.Queues(t.Context())
					if err != nil || len(all) == 0 {
						t.Error(all, err)
					}
					if err := q.ForceDelete(t.Context()); err != nil {
						t.Fatal(err)
					}
					if i := info(t, q); i != (leanmq.QueueInfo{Name: q.Name()}) {
						t.Errorf("deleted: %+v", i)
					}
				})
			}
		}
	})
}

func TestMessageThatExpiresWhileItIsHandled(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		slow := func(ctx context.Context, m *leanmq.Message) error {
			if m.Attempt == 1 {
				return leanmq.RetryAfter(0, errors.New("boom"))
			}
			<-ctx.Done()
			return errors.New("in the middle of it")
		}
		dropped, dead := mq.Queue("dropped"), mq.Queue("dead")
		consume(t, dropped, slow)
		consume(t, dead, slow, leanmq.OnExpired(leanmq.DeadLetterExpired))
		send(t, dropped, "x", leanmq.TTL(500*time.Millisecond))
		send(t, dead, "x", leanmq.TTL(500*time.Millisecond))
		d := oneDead(t, dead)
		if d.Reason != leanmq.ReasonExpired || d.Error != "in the middle of it" || d.Message.Attempt != 2 || len(d.Message.History()) != 2 {
			t.Errorf("%+v, %+v", d, d.Message.History())
		}
		eventually(t, "the other one is counted", func() bool { return info(t, dropped).Expired == 1 })
		becomesEmpty(t, dropped)
		if n := info(t, dead).Expired; n != 1 {
			t.Errorf("counted %d times", n)
		}
		// Sent again, its time starts anew.
		if n, err := dead.RequeueAll(t.Context()); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		d = oneDead(t, dead)
		if d.Message.Attempt != 2 || info(t, dead).Expired != 2 {
			t.Errorf("%+v", d)
		}
	})
}

// Nobody waits for the answer any more, so nobody wants to know.
func TestExpiredRequestsAreDroppedAndCounted(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("jobs")
		in := openInbox(t, mq)
		request := func() {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond) // enough to be sent
			defer cancel()
			if _, err := in.Request(ctx, q, nil); !errors.Is(err, leanmq.ErrNoReply) {
				t.Error(err)
			}
		}
		request() // expires before
		expire(0)
		consume(t, q, func(ctx context.Context, _ *leanmq.Message) error {
			<-ctx.Done()
			return ctx.Err()
		}, leanmq.OnExpired(leanmq.DeadLetterExpired), leanmq.Retry(leanmq.RetryPolicy{MaxAge: time.Millisecond}))
		eventually(t, "it is counted", func() bool { return info(t, q).Expired == 1 })
		request() // expires while it is handled
		eventually(t, "it is counted, too", func() bool { return info(t, q).Expired == 2 })
		becomesEmpty(t, q)
	})
}

func TestUnknownExpiryPolicyIsRefused(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		isInvalid(t, open(t, url).Queue("jobs").Consume(t.Context(), new(record).done, leanmq.OnExpired(2)), "OnExpired")
	})
}

func TestExpiredMessageIsNeverHandled(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		send(t, q, "expires", leanmq.TTL(30*time.Millisecond))
		send(t, q, "expires before it is due", leanmq.TTL(time.Millisecond), leanmq.Delay(30*time.Millisecond))
		send(t, q, "stays", leanmq.TTL(time.Hour))
		expire(30 * time.Millisecond)
		var got record
		consume(t, q, got.done, leanmq.Concurrency(1))
		becomesEmpty(t, q)
		if p := got.payloads(); !slices.Equal(p, []string{"stays"}) {
			t.Errorf("handled: %q", p)
		}
	})
}

func TestRunningHandlerIsToldThatTheMessageExpired(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		cause := make(chan error, 1)
		var runs atomic.Int64
		consume(t, q, func(ctx context.Context, m *leanmq.Message) error {
			runs.Add(1)
			<-ctx.Done()
			cause <- context.Cause(ctx)
			// The server's clock is known to half of a round trip, which on a busy machine
			// can be long.
			if early := time.Until(m.Deadline); early > 250*time.Millisecond {
				t.Errorf("%v too early", early)
			}
			return ctx.Err()
		}, quick)
		send(t, q, "x", leanmq.TTL(500*time.Millisecond))
		if err := receive(t, "the handler is told", cause); !errors.Is(err, leanmq.ErrExpired) {
			t.Errorf("%v", err)
		}
		becomesEmpty(t, q)
		if n := runs.Load(); n != 1 {
			t.Errorf("handled %d times", n)
		}
	})
}
