package store_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
	"github.com/leanmq/leanmq/internal/testkit"
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

func TestCallerWhoseContextEndsLearnsThatTheOutcomeIsUnknown(t *testing.T) {
	server := redistest.Server(t)
	s, q := openQueue(t, server.URL())
	send(t, q, "first") // connected
	server.Pause()

	begin := time.Now()
	var wg sync.WaitGroup
	var unknown atomic.Int64
	for range 10 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err := q.Send(ctx, &store.Envelope{Payload: []byte("abandoned")})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
			if errors.Is(err, store.ErrUnknown) {
				unknown.Add(1)
			} // else it was still in the line
		})
	}
	wg.Wait()
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took them %v", took)
	}

	cause := errors.New("went home")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := q.Send(ctx, &store.Envelope{}); !errors.Is(err, cause) || errors.Is(err, store.ErrUnknown) {
		t.Errorf("never sent, and yet: %v", err)
	}

	// Those who come later get their own replies, not those of the abandoned.
	server.Resume()
	checkReplies(t, s, q, "after")
	abandoned := 0
	for _, e := range waiting(t, q) {
		if string(e.Payload) == "abandoned" {
			abandoned++
		}
	}
	if n := unknown.Load(); n == 0 || int64(abandoned) > n {
		t.Errorf("%d sends with an unknown outcome were executed %d times", n, abandoned)
	}
}

// While the server does not answer, who gives up in the line is told that nothing was
// sent, and that holds: a flood of those who come again must not be sent in the end.
func TestCallerWhoGivesUpInTheLineSendsNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	s, q := openQueue(t, server.URL())
	send(t, q, "first")
	server.Pause()
	outcomes := map[string]error{}
	for i := range 20 { // the first few are under way
		payload := fmt.Sprint(i)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		_, outcomes[payload] = q.Send(ctx, &store.Envelope{Payload: []byte(payload)})
		cancel()
	}
	server.Resume()
	eventually(t, "it answers", func() bool { return s.Ping(t.Context()) == nil })
	if err := s.Close(); err != nil { // all that was under way is through
		t.Fatal(err)
	}
	unsent := 0
	for _, err := range outcomes {
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrUnknown) {
			t.Errorf("%v", err)
		}
		if !errors.Is(err, store.ErrUnknown) {
			unsent++
		}
	}
	if unsent == 0 {
		t.Error("nobody was told that nothing was sent")
	}
	for _, e := range waiting(t, queue(t, open(t, server.URL()), "jobs")) {
		if err, sent := outcomes[string(e.Payload)]; sent && !errors.Is(err, store.ErrUnknown) {
			t.Errorf("%s was sent, and its caller was told: %v", e.Payload, err)
		}
	}
}

func TestPausedServerIsNotWaitedForWithoutEnd(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	_, q := openQueue(t, server.URL())
	send(t, q, "first")
	server.Pause()
	begin := time.Now()
	_, err := q.Send(context.Background(), &store.Envelope{Payload: []byte("x")})
	if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, store.ErrUnknown) {
		t.Errorf("%v", err)
	}
	if took := time.Since(begin); took > 6*time.Second {
		t.Errorf("a call without deadline took %v", took)
	}
}

func TestStoppedServerMeansThatNothingWasSent(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	_, q := openQueue(t, server.URL())
	server.Stop()
	eventually(t, "the broken connections are gone", func() bool {
		_, err := q.Send(t.Context(), &store.Envelope{Payload: []byte("x")})
		if !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("%v", err)
		}
		return !errors.Is(err, store.ErrUnknown)
	})
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

func TestLostReplyIsReportedAndTheCommandNotRepeated(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		p := testkit.NewProxy(t)
		q := queue(t, openBy(t, url, p.Dial), "jobs")
		direct := queue(t, open(t, url), "jobs")
		send(t, q, "first")

		p.Lose(math.MaxInt)
		_, err := q.Send(t.Context(), &store.Envelope{Payload: []byte("plain")})
		r := q.SendIf(t.Context(), []store.Envelope{{Payload: []byte("by script")}}, store.SendTerms{Limit: 100})[0]
		for _, err := range []error{err, r.Err} {
			if !errors.Is(err, store.ErrUnknown) || !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%v", err)
			}
		}
		p.Lose(0)
		eventually(t, "connected again", func() bool {
			_, err := q.Send(t.Context(), &store.Envelope{Payload: []byte("last")})
			return err == nil
		})
		count := map[string]int{}
		for _, e := range waiting(t, direct) {
			count[string(e.Payload)]++
		}
		if count["first"] != 1 || count["plain"] != 1 || count["by script"] > 1 || count["last"] != 1 {
			t.Errorf("sent once each, there: %v", count)
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
