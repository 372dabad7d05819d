package leanmq_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestReceiveWaitsForTheFirstMessage(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		p := newPuller(t, q)
		arrived := make(chan time.Time, 1)
		var late []time.Duration
		for range 5 {
			go func() {
				ms, err := p.Receive(t.Context(), 10)
				if err != nil || len(ms) != 1 {
					t.Error(ms, err)
				}
				arrived <- time.Now()
				if len(ms) > 0 {
					_ = ms[0].Done(t.Context())
				}
			}()
			select {
			case <-arrived:
				t.Error("it did not wait")
			case <-time.After(30 * time.Millisecond):
			}
			sent := time.Now()
			send(t, q, "x")
			late = append(late, receive(t, "it arrives", arrived).Sub(sent))
		}
		if m := median(late); m > slack*200*time.Millisecond {
			t.Errorf("they arrived after %v", late)
		}
	})
}

func TestReceiveEndsWithItsContext(t *testing.T) {
	server := redistest.Server(t)
	p := newPuller(t, open(t, server.URL()).Queue("jobs"))
	cause := errors.New("went home")
	var took []time.Duration
	for range 7 {
		ctx, cancel := context.WithCancelCause(t.Context())
		result := make(chan error, 1)
		go func() {
			_, err := p.Receive(ctx, 1)
			result <- err
		}()
		select {
		case err := <-result:
			t.Fatalf("it did not wait: %v", err)
		case <-time.After(30 * time.Millisecond):
		}
		begin := time.Now()
		cancel(cause)
		if err := receive(t, "Receive returns", result); !errors.Is(err, cause) {
			t.Errorf("%v", err)
		}
		took = append(took, time.Since(begin))
	}
	if m := median(took); m > slack*50*time.Millisecond {
		t.Errorf("it took %v", took)
	}
}

func TestReceiveWithAnEndedContextTakesWhatIsThere(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		p := newPuller(t, q)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for i := range 30 {
			id := send(t, q, "x")
			ms, err := p.Receive(ctx, 5)
			if err != nil || len(ms) != 1 || ms[0].ID != id {
				t.Fatalf("round %d: %v, %v", i, ms, err)
			}
			if err := ms[0].Done(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		begin := time.Now()
		if ms, err := p.Receive(ctx, 5); len(ms) != 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("%v, %v", ms, err)
		}
		if took := time.Since(begin); took > slack*time.Second {
			t.Errorf("with nothing there it took %v", took)
		}
	})
}

func TestPullerDeliversDelayedMessagesInTime(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		p := newPuller(t, q)
		send(t, q, "warm-up")
		if err := pull(t, p, 1)[0].Done(t.Context()); err != nil {
			t.Fatal(err)
		}
		var late []time.Duration
		for n := range 4 {
			delay := 150 * time.Millisecond
			due := make(chan time.Time, 1)
			later := func() {
				due <- time.Now().Add(delay)
				if _, err := q.Send(t.Context(), nil, leanmq.Delay(delay)); err != nil {
					t.Error(err)
				}
			}
			if n%2 == 0 {
				later()
			} else { // while the puller waits
				time.AfterFunc(20*time.Millisecond, later)
			}
			m := pull(t, p, 1)[0]
			late = append(late, time.Since(<-due))
			if err := m.Done(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if m := median(late); m < -time.Millisecond || m > slack*100*time.Millisecond {
			t.Errorf("they were late by %v", late)
		}
	})
}
