package leanmq_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestMessagesOfABatchAreSettledOneByOne(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("q")
		var got batchRecord
		handler := func(_ context.Context, batch []*leanmq.Message) []error {
			got.note(batch)
			errs := make([]error, len(batch))
			for i, m := range batch {
				m.SetResult(m.Payload)
				switch {
				case m.Attempt > 1: // done
				case m.ID == "retry":
					errs[i] = errors.New("not yet")
				case m.ID == "reject":
					errs[i] = leanmq.Reject(errors.New("no good"))
				case m.ID == "retry after":
					errs[i] = leanmq.RetryAfter(time.Millisecond, nil)
				case m.WantsReply():
					m.Reply(leanmq.Reply{Status: 202, Payload: []byte("for " + m.ID)})
				}
			}
			return errs
		}
		for _, id := range []string{"done", "retry", "reject", "retry after"} {
			send(t, q, id, leanmq.ID(id), keep)
		}
		in := openInbox(t, mq)
		var requests sync.WaitGroup
		for _, id := range []string{"ask 1", "ask 2"} {
			requests.Go(func() {
				r, err := in.Request(context.Background(), q, nil, leanmq.ID(id))
				if err != nil || r.Status != 202 || string(r.Payload) != "for "+id {
					t.Errorf("%s: %+v, %v", id, r, err)
				}
			})
		}
		eventually(t, "all of them", func() bool { return info(t, q).Ready == 6 })
		consumeBatches(t, open(t, url).Queue("q"), 6, 50*time.Millisecond, handler, quick)
		requests.Wait()
		got.wait(t, 8)
		if letter := oneDead(t, q); letter.Message.ID != "reject" || letter.Error != "no good" {
			t.Errorf("%+v", letter)
		}
		if b := got.batches(); b[0] != 6 {
			t.Errorf("batches of %v", b)
		}
		for _, id := range []string{"done", "retry", "retry after"} {
			if o := receive(t, "a result", await(q, id)); o.err != nil || string(o.result.Payload) != id {
				t.Errorf("%+v, %v", o.result, o.err)
			}
		}
		attempts := map[string]int{}
		for _, s := range got.list() {
			attempts[s.ID] = max(attempts[s.ID], s.Attempt)
		}
		for id, want := range map[string]int{"done": 1, "retry": 2, "reject": 1, "retry after": 2} {
			if attempts[id] != want {
				t.Errorf("%s: %d attempts", id, attempts[id])
			}
		}
	})
}

func TestBatchThatFailsFailsAllOfIt(t *testing.T) {
	for name, tt := range map[string]struct {
		fail func([]*leanmq.Message) []error
		want string
	}{
		"wrong length": {
			func(b []*leanmq.Message) []error { return make([]error, len(b)+1) },
			"batch handler returned 4 errors for 3 messages",
		},
		"empty": {
			func([]*leanmq.Message) []error { return []error{} },
			"batch handler returned 0 errors for 3 messages",
		},
		"panic": {func([]*leanmq.Message) []error { panic("out of paper") }, "panic: out of paper"},
	} {
		t.Run(name, func(t *testing.T) {
			redistest.ForEachStore(t, func(t *testing.T, url string) {
				q := open(t, url).Queue("q")
				sendMany(t, q, 3)
				var runs atomic.Int64
				consumeBatches(t, q, 3, time.Hour, func(_ context.Context, b []*leanmq.Message) []error {
					runs.Add(1)
					return tt.fail(b)
				}, leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 2, MinBackoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond}))
				eventually(t, "all are dead", func() bool { return info(t, q).Dead == 3 })
				for _, letter := range deadLetters(t, q) {
					if !strings.HasPrefix(letter.Error, tt.want) || letter.Reason != leanmq.ReasonExhausted {
						t.Errorf("%+v", letter)
					}
				}
				if n := runs.Load(); n != 2 {
					t.Errorf("%d batches", n)
				}
			})
		})
	}
}
