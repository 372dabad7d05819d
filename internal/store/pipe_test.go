package store_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

// checkReplies sends from many goroutines with every kind of command and checks
// that each caller got the reply to its own.
func checkReplies(t *testing.T, s *store.Store, q *store.Queue, round string) {
	t.Helper()
	const callers, calls = 40, 25
	var mu sync.Mutex
	sent := map[string]string{} // payload by id
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for n := range calls {
				payload := fmt.Sprintf("%s %d.%d", round, c, n)
				e := store.Envelope{Payload: []byte(payload)}
				var id string
				var err error
				switch n % 3 {
				case 0:
					id, err = q.Send(t.Context(), &e)
				case 1:
					r := q.SendIf(t.Context(), []store.Envelope{e}, store.SendTerms{Limit: 1 << 30})[0]
					id, err = r.ID, r.Err
				case 2:
					ids, errs := q.SendMany(t.Context(), []store.Envelope{e})
					id, err = ids[0], errors.Join(errs...)
					if _, nerr := s.Now(t.Context()); nerr != nil {
						t.Error(nerr)
					}
				}
				if err != nil {
					t.Errorf("%s: %v", payload, err)
					continue
				}
				mu.Lock()
				if other, taken := sent[id]; taken {
					t.Errorf("%q and %q have the id %s", payload, other, id)
				}
				sent[id] = payload
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	there := 0
	for _, e := range waiting(t, q) {
		if strings.HasPrefix(string(e.Payload), round+" ") {
			there++
			if sent[e.Entry] != string(e.Payload) {
				t.Errorf("%s holds %q; whoever got that id sent %q", e.Entry, e.Payload, sent[e.Entry])
			}
		}
	}
	if there != callers*calls {
		t.Errorf("%d messages are there, %d were sent", there, callers*calls)
	}
}

func TestConcurrentCallersGetTheirOwnReplies(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		checkReplies(t, s, q, "round")
	})
}

func TestACallersCommandsStayInOrder(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s := open(t, url)
		for _, tt := range []struct {
			name string
			send func(q *store.Queue, es []store.Envelope) error
		}{
			{"plain", func(q *store.Queue, es []store.Envelope) error {
				_, errs := q.SendMany(t.Context(), es)
				return errors.Join(errs...)
			}},
			{"by script", func(q *store.Queue, es []store.Envelope) error {
				for _, r := range q.SendIf(t.Context(), es, store.SendTerms{Limit: 1 << 30}) {
					if r.Err != nil {
						return r.Err
					}
				}
				return nil
			}},
		} {
			q := queue(t, s, tt.name)
			const callers = 3
			messages := some(t, 700) // more than a batch
			var wg sync.WaitGroup
			for c := range callers {
				wg.Go(func() {
					es := make([]store.Envelope, messages)
					for i := range es {
						es[i].Payload = fmt.Appendf(nil, "%d %d", c, i)
					}
					if err := tt.send(q, es); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			checkOrder(t, q, callers, messages)
		}
	})
}

// checkOrder checks that the queue holds "caller n", n counting up for each.
func checkOrder(t *testing.T, q *store.Queue, callers, messages int) {
	t.Helper()
	next := make([]int, callers)
	for _, e := range waiting(t, q) {
		caller, n, _ := strings.Cut(string(e.Payload), " ")
		c, _ := strconv.Atoi(caller)
		if n != strconv.Itoa(next[c]) {
			t.Errorf("%s: message %s of caller %d came where %d was due", q.Name, n, c, next[c])
			return
		}
		next[c]++
	}
	for c, n := range next {
		if n != messages {
			t.Errorf("%s: caller %d has %d messages, want %d", q.Name, c, n, messages)
		}
	}
}

func TestScriptsAreLoadedAgainWhenTheServerForgotThem(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		_, q := openQueue(t, url)
		c := rawClient(t, url)
		for round := range 3 {
			if err := c.ScriptFlush(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			var es []store.Envelope
			for i := range 50 {
				es = append(es, store.Envelope{Payload: fmt.Appendf(nil, "0 %d", round*50+i)})
			}
			for _, r := range q.SendIf(t.Context(), es, store.SendTerms{Limit: 1 << 30}) {
				if r.Err != nil {
					t.Fatal(r.Err)
				}
			}
		}
		checkOrder(t, q, 1, 150) // each once, in order
	})
}

// The scripts may be loaded by somebody else in the middle of a batch that has
// just failed for the lack of them.
func TestScriptsLoadedMeanwhileDoNotChangeTheOrder(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		c := rawClient(t, url)
		for round := range 4 {
			if err := c.ScriptFlush(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			var queues []*store.Queue
			for i := range 3 {
				q := queue(t, open(t, url), fmt.Sprintf("q%d.%d", round, i))
				queues = append(queues, q)
				wg.Go(func() {
					es := make([]store.Envelope, some(t, 500))
					for n := range es {
						es[n].Payload = fmt.Appendf(nil, "0 %d", n)
					}
					for _, r := range q.SendIf(t.Context(), es, store.SendTerms{Limit: 1 << 30}) {
						if r.Err != nil {
							t.Error(r.Err)
						}
					}
				})
			}
			wg.Wait()
			for _, q := range queues {
				checkOrder(t, q, 1, some(t, 500))
			}
		}
	})
}

func TestCloseRefusesLaterCallsAndFinishesEarlierOnes(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, err := store.Open(t.Context(), url, "leanmq")
		if err != nil {
			t.Fatal(err)
		}
		q := queue(t, s, "jobs")
		var mu sync.Mutex
		accepted := map[string]bool{}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				for {
					id, err := q.Send(context.Background(), &store.Envelope{Payload: []byte("x")})
					if err != nil {
						if !errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrUnknown) {
							t.Errorf("%v", err)
						}
						return
					}
					mu.Lock()
					accepted[id] = true
					mu.Unlock()
				}
			})
		}
		eventually(t, "some are sent", func() bool { mu.Lock(); defer mu.Unlock(); return len(accepted) > 100 })
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		there := waiting(t, queue(t, open(t, url), "jobs"))
		for _, e := range there {
			delete(accepted, e.Entry)
		}
		if len(accepted) > 0 {
			t.Errorf("%d accepted messages are missing", len(accepted))
		}
		if err := s.Close(); err != nil {
			t.Errorf("closed twice: %v", err)
		}
	})
}
