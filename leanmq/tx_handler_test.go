package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// What a transaction settles in a handler is settled, with all that ends with a message,
// and the handler has no more say; it may go on for several leases.
func TestTxSettlesInHandlers(t *testing.T) {
	forEachUndivided(t, func(t *testing.T, url string) {
		var handled, dead, lost atomic.Int32
		outcomes := make(chan leanmq.HandleInfo, 100)
		mq := open(t, url, leanmq.Observe(leanmq.Hooks{
			Handled:   func(i leanmq.HandleInfo) { handled.Add(1); outcomes <- i },
			Dead:      func(leanmq.DeadInfo) { dead.Add(1) },
			LeaseLost: func(leanmq.MessageInfo) { lost.Add(1) },
		}))
		q, out := mq.Queue("q"), mq.Queue("out")
		raw := rawClient(t, url)
		handle := func(ctx context.Context, m *leanmq.Message) error {
			m.SetResult([]byte("result of " + string(m.Payload)))
			err := mq.Tx(ctx, func(tx *leanmq.Tx) error {
				tx.Do("INCR", "runs of "+string(m.Payload))
				tx.Send(out, m.Payload)
				switch {
				case string(m.Payload) == "retry" && m.Attempt == 1:
					return tx.Retry(m, leanmq.RetryAfter(0, errors.New("once more")))
				case string(m.Payload) == "reject":
					return tx.Reject(m, errors.New("no"))
				case string(m.Payload) == "again" && m.Attempt == 1:
					if s := raw.Get(ctx, "runs of again"); s.Err() != nil { // the first run only
						tx.Send(q, []byte("again"), leanmq.Unique("u")).MustBeNew()
					}
				}
				return tx.Done(m)
			})
			if err != nil {
				return err
			}
			if string(m.Payload) == "long" {
				time.Sleep(400 * time.Millisecond) // several leases
			}
			return errors.New("too late: it is settled")
		}
		consume(t, q, handle, leanmq.Lease(100*time.Millisecond), quick)
		long := send(t, q, "long", leanmq.KeepResult(time.Hour))
		send(t, q, "retry")
		send(t, q, "reject")
		send(t, q, "again", leanmq.Unique("u"))
		for i := range 3 {
			send(t, q, fmt.Sprint("ordered", i), leanmq.OrderingKey("k"))
		}
		const runs = 9
		eventually(t, "all is handled", func() bool {
			i := info(t, q)
			return handled.Load() == runs && i.Ready+i.InFlight+i.Scheduled+i.Blocked == 0
		})
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		if r, err := q.Result(ctx, long); err != nil || string(r.Payload) != "result of long" {
			t.Errorf("result: %+v, %v", r, err)
		}
		for name, want := range map[string]int{"long": 1, "retry": 2, "reject": 1, "again": 2, "ordered0": 1, "ordered2": 1} {
			if n, err := raw.Get(t.Context(), "runs of "+name).Int(); n != want || err != nil {
				t.Errorf("%s ran %d times, %v, want %d", name, n, err, want)
			}
		}
		if i := info(t, out); i.Ready != runs {
			t.Errorf("%d messages came of it, want %d", i.Ready, runs)
		}
		if d := oneDead(t, q); d.Error != "no" || dead.Load() != 1 {
			t.Errorf("dead: %+v, told %d times", d, dead.Load())
		}
		if lost.Load() != 0 {
			t.Error("a settled message was taken for lost")
		}
		count := map[leanmq.Outcome]int{}
		for range runs {
			count[receive(t, "what became of a run", outcomes).Outcome]++
		}
		if count[leanmq.OutcomeDone] != runs-2 || count[leanmq.OutcomeRetry] != 1 || count[leanmq.OutcomeDead] != 1 {
			t.Errorf("outcomes: %v", count)
		}
	})
}

// Some messages of a batch are settled together by a transaction, the others as ever.
func TestTxSettlesOfABatch(t *testing.T) {
	forEachUndivided(t, func(t *testing.T, url string) {
		var handled atomic.Int32
		mq := open(t, url, leanmq.Observe(leanmq.Hooks{Handled: func(leanmq.HandleInfo) { handled.Add(1) }}))
		q, raw := mq.Queue("q"), rawClient(t, url)
		sendMany(t, q, 40)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- q.ConsumeBatches(ctx, 10, 20*time.Millisecond, func(ctx context.Context, batch []*leanmq.Message) []error {
				err := mq.Tx(ctx, func(tx *leanmq.Tx) error {
					for i, m := range batch {
						if i%2 == 0 {
							_ = tx.Done(m)
							tx.Do("INCR", "in transactions")
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
				return slices.Repeat([]error{err}, len(batch))
			}, leanmq.Concurrency(2))
		}()
		becomesEmpty(t, q)
		eventually(t, "each is told of once", func() bool { return handled.Load() == 40 })
		stop()
		if err := receive(t, "the end", ended); err != nil {
			t.Error(err)
		}
		if n, err := raw.Get(t.Context(), "in transactions").Int(); err != nil || n < 20 {
			t.Errorf("%d, %v", n, err)
		}
	})
}

// A worker that has lost its lease commits nothing, in a handler or not.
func TestTxOfAStaleWorkerCommitsNothing(t *testing.T) {
	forEachUndivided(t, func(t *testing.T, url string) {
		mq, raw := open(t, url), rawClient(t, url)
		q, out := mq.Queue("q"), mq.Queue("out")
		send(t, q, "m")
		sq, err := mq.Store().Queue("q")
		if err != nil {
			t.Fatal(err)
		}
		var runs atomic.Int32
		results := make(chan error, 2)
		handle := func(_ context.Context, m *leanmq.Message) error {
			if runs.Add(1) == 1 { // another one takes it over while it runs
				if _, err := sq.Join(t.Context(), "thief"); err != nil {
					t.Error(err)
				}
				if es, _, err := sq.Reclaim(t.Context(), "thief", 0, 1, 0); err != nil || len(es) != 1 {
					t.Errorf("%v, %v", es, err)
				}
			}
			err := mq.Tx(context.Background(), func(tx *leanmq.Tx) error {
				tx.Do("INCRBY", "balance", 10)
				tx.Send(out, []byte("paid"))
				return tx.Done(m)
			})
			results <- err
			return err
		}
		stale := consume(t, q, handle, leanmq.Lease(time.Hour)) // nobody renews while the handler runs
		var where *leanmq.Error
		if err := receive(t, "the first result", results); !errors.Is(err, leanmq.ErrLeaseLost) || !errors.As(err, &where) || where.Queue != "q" || where.ID == "" {
			t.Errorf("the stale worker: %v", err)
		}
		if err := stale.Stop(); err != nil {
			t.Error(err)
		}
		if _, err := sq.Release(t.Context(), "thief"); err != nil {
			t.Fatal(err)
		}
		consume(t, q, handle)
		if err := receive(t, "the second result", results); err != nil {
			t.Errorf("the next one: %v", err)
		}
		becomesEmpty(t, q)
		if v := raw.Get(t.Context(), "balance").Val(); v != "10" {
			t.Errorf("the balance is %s", v)
		}
		if i := info(t, out); i.Ready != 1 {
			t.Errorf("%+v", i)
		}
	})
}

// A request that a transaction settles is answered after the commit.
func TestTxAnswersRequests(t *testing.T) {
	forEachUndivided(t, func(t *testing.T, url string) {
		mq, raw := open(t, url), rawClient(t, url)
		q := mq.Queue("q")
		inbox := openInbox(t, mq)
		consume(t, q, func(ctx context.Context, m *leanmq.Message) error {
			err := mq.Tx(ctx, func(tx *leanmq.Tx) error {
				tx.Do("SET", "settled "+string(m.Payload), 1)
				if string(m.Payload) == "reject" {
					return tx.Reject(m, nil)
				}
				return tx.Done(m)
			})
			if string(m.Payload) == "explicit" {
				m.Reply(leanmq.Reply{Status: 202, Payload: []byte("answer")})
			}
			return err
		})
		for text, want := range map[string]leanmq.Reply{
			"implicit": {Status: 200}, "explicit": {Status: 202, Payload: []byte("answer")}, "reject": {Status: 500},
		} {
			r, err := inbox.Request(t.Context(), q, []byte(text))
			if err != nil || r.Status != want.Status || string(r.Payload) != string(want.Payload) {
				t.Errorf("%s: %+v, %v", text, r, err)
			}
			if raw.Exists(t.Context(), "settled "+text).Val() != 1 {
				t.Errorf("%s: answered before it was settled", text)
			}
		}
	})
}
