package store_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
	"github.com/leanmq/leanmq/internal/testkit"
)

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
