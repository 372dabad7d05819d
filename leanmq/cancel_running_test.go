package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestCancelEndsTheHandlerInAnyProcess(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		began, cause := make(chan string, 1), make(chan error, 1)
		for range 2 {
			consume(t, open(t, url).Queue("q"), func(ctx context.Context, m *leanmq.Message) error {
				m.SetResult([]byte("half"))
				began <- m.ID
				select {
				case <-ctx.Done():
					cause <- context.Cause(ctx)
					return ctx.Err()
				case <-time.After(20 * time.Second):
					return nil
				}
			}, quick)
		}
		for i, silent := range []bool{false, true} {
			id := send(t, q, "x", leanmq.KeepResult(time.Minute))
			receive(t, "a handler that begins", began)
			if silent { // without its notice
				raw := rawClient(t, url)
				raw.ZAdd(t.Context(), "leanmq:{q}:q:canceled", redisZ(time.Now().UnixMilli()+5, id))
				raw.HIncrBy(t.Context(), "leanmq:{q}:q:meta", "@version", 1)
			} else {
				cancel(t, q, id, false)
			}
			if err := receive(t, "the end of the handler's context", cause); !errors.Is(err, leanmq.ErrCanceled) {
				t.Errorf("the cause is %v", err)
			}
			becomesEmpty(t, q) // nor a dead letter
			if r := resultOf(t, q, id); r == nil || r.Status != leanmq.ResultCanceled || r.Payload != nil {
				t.Errorf("result %+v", r)
			}
			if n := info(t, q).Canceled; n != int64(i+1) {
				t.Errorf("%d canceled", n)
			}
		}
	})
}

func TestHandlerThatReturnsNilWinsOverCancel(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		began := make(chan bool, 1)
		consume(t, open(t, url).Queue("q"), func(ctx context.Context, m *leanmq.Message) error {
			began <- true
			<-ctx.Done()
			m.SetResult([]byte("all the same"))
			return nil
		})
		id := send(t, q, "x", leanmq.KeepResult(time.Minute))
		receive(t, "a handler that begins", began)
		cancel(t, q, id, false)
		r, err := q.Result(t.Context(), id)
		if err != nil || r.Status != leanmq.ResultDone || string(r.Payload) != "all the same" {
			t.Errorf("%+v, %v", r, err)
		}
		if n := info(t, q).Canceled; n != 0 {
			t.Errorf("%d canceled", n)
		}
	})
}

// Each message ends once, as done or as canceled, whatever the moment of the cancel.
func TestCancelRacesWithTheEndOfTheMessage(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const messages = 200
		q := open(t, url).Queue("q")
		var mu sync.Mutex
		finished := map[string]int{}
		for range 2 {
			consume(t, open(t, url).Queue("q"), func(ctx context.Context, m *leanmq.Message) error {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(rand.N(4 * time.Millisecond)):
				}
				if rand.N(3) == 0 {
					return errors.New("not yet")
				}
				mu.Lock()
				finished[m.ID]++
				mu.Unlock()
				return nil
			}, leanmq.Concurrency(4), leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 100, MinBackoff: time.Millisecond, MaxBackoff: 4 * time.Millisecond}))
		}
		removed := map[string]bool{}
		var ids []string
		var wg sync.WaitGroup
		for n := range messages {
			opts := []leanmq.SendOption{leanmq.KeepResult(time.Minute)}
			switch n % 3 {
			case 0:
				opts = append(opts, leanmq.ID(fmt.Sprint("id", n)))
			case 1:
				opts = append(opts, leanmq.OrderingKey(fmt.Sprint(n%2)))
			}
			id := send(t, q, "x", opts...)
			ids = append(ids, id)
			wg.Go(func() {
				time.Sleep(rand.N(8 * time.Millisecond))
				ok, err := q.Cancel(t.Context(), id)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				removed[id] = ok
				mu.Unlock()
			})
		}
		wg.Wait()
		becomesEmpty(t, q)
		count := map[string]int{}
		for _, id := range ids {
			r := resultOf(t, q, id)
			if r == nil {
				t.Fatalf("%s has no result", id)
			}
			count[r.Status]++
			switch {
			case r.Status == leanmq.ResultDone && (finished[id] != 1 || removed[id]),
				r.Status == leanmq.ResultCanceled && finished[id] != 0,
				r.Status == leanmq.ResultDead:
				t.Errorf("%s: %+v, finished %d times, removed %v", id, r, finished[id], removed[id])
			}
		}
		i := info(t, q)
		if i.Canceled != int64(count[leanmq.ResultCanceled]) || i.Blocked != 0 {
			t.Errorf("%+v, but %v", i, count)
		}
		t.Log(count)
	})
}
