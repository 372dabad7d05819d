package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func inFlight(t testing.TB, q *leanmq.Queue, n int) []leanmq.InFlight {
	t.Helper()
	list, err := q.InFlight(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestProgressIsSeenByOthersAndByTheNextAttempt(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		noted, goOn := make(chan bool), make(chan bool)
		first := consume(t, open(t, url).Queue("q"), func(ctx context.Context, m *leanmq.Message) error {
			for _, note := range []string{"a third", "half"} {
				if err := m.Progress(ctx, note); err != nil {
					t.Error(err)
				}
			}
			noted <- true
			<-goOn
			return leanmq.RetryAfter(time.Second, nil) // by then it has stopped
		})
		id := send(t, q, "x", leanmq.ID("mine"))
		receive(t, "a note", noted)
		list := inFlight(t, q, 10)
		if len(list) != 1 || list[0].Message.ID != id || list[0].Progress != "half" || string(list[0].Message.Payload) != "x" {
			t.Errorf("in flight: %+v", list)
		}
		ttl := rawClient(t, url).PTTL(t.Context(), "leanmq:{q}:q:progress:mine").Val()
		if ttl < 23*time.Hour || ttl > 24*time.Hour {
			t.Errorf("the note is kept for %v", ttl)
		}
		first.Cancel()
		close(goOn)
		if err := first.Wait(); err != nil {
			t.Error(err)
		}
		last := make(chan string, 1)
		consume(t, open(t, url).Queue("q"), func(ctx context.Context, m *leanmq.Message) error {
			note, err := m.LastProgress(ctx)
			if err != nil {
				t.Error(err)
			}
			last <- note
			return nil
		})
		if note := receive(t, "the next attempt", last); note != "half" {
			t.Errorf("it read %q", note)
		}
		becomesEmpty(t, q)
		notesAreGone(t, url)
	})
}

func notesAreGone(t testing.TB, url string) {
	t.Helper()
	var keys []string
	for begin := time.Now(); time.Since(begin) < 15*time.Second; time.Sleep(time.Millisecond) {
		if keys = rawClient(t, url).Keys(t.Context(), "*:progress:*").Val(); len(keys) == 0 {
			return
		}
	}
	t.Errorf("notes are left: %q", keys)
}

// Whichever way a message ends, its note ends with it, even where the attempt that
// left it was another one.
func TestProgressIsGoneWithTheMessage(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, q *leanmq.Queue, id string, m *leanmq.Message) error{
		"done": func(_ *testing.T, _ *leanmq.Queue, _ string, m *leanmq.Message) error {
			if m.Attempt == 1 {
				return errors.New("not yet")
			}
			return nil
		},
		"dead": func(*testing.T, *leanmq.Queue, string, *leanmq.Message) error { return errors.New("never") },
		"canceled": func(t *testing.T, q *leanmq.Queue, id string, _ *leanmq.Message) error {
			go func() {
				eventually(t, "it waits", func() bool { return info(t, q).Scheduled == 1 })
				cancel(t, q, id, true)
			}()
			return leanmq.RetryAfter(time.Hour, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			redistest.ForEachStore(t, func(t *testing.T, url string) {
				q := open(t, url).Queue("q")
				noted := make(chan bool, 1)
				consume(t, open(t, url).Queue("q"), func(ctx context.Context, m *leanmq.Message) error {
					if m.Attempt == 1 {
						if err := m.Progress(ctx, "begun"); err != nil {
							t.Error(err)
						}
						noted <- true
					}
					return end(t, q, "mine", m)
				}, quick)
				send(t, q, "x", leanmq.ID("mine"))
				receive(t, "a note", noted)
				eventually(t, "the end", func() bool {
					i := info(t, q)
					return i.Ready+i.InFlight+i.Scheduled == 0
				})
				notesAreGone(t, url)
			})
		})
	}
}

func TestProgressRefuses(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		got := make(chan error, 2)
		g := newGate()
		consume(t, q, func(ctx context.Context, m *leanmq.Message) error {
			got <- m.Progress(ctx, strings.Repeat("x", 8<<10+1))
			got <- m.Progress(ctx, strings.Repeat("x", 8<<10))
			return g.handle(ctx, m)
		})
		send(t, q, "x")
		isInvalid(t, receive(t, "a refusal", got), "note")
		if err := receive(t, "a note", got); err != nil {
			t.Error(err)
		}
		receive(t, "a handler that goes on", g.began)
		// A message that is looked at is nobody's to report about.
		m := &inFlight(t, q, 1)[0].Message
		if err := m.Progress(t.Context(), "x"); !errors.Is(err, leanmq.ErrLeaseLost) {
			t.Error(err)
		}
		if _, err := m.LastProgress(t.Context()); !errors.Is(err, leanmq.ErrLeaseLost) {
			t.Error(err)
		}
		close(g.letOff)
	})
}

func TestInFlightSaysWhoHasWhatAndForHowLong(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		if list := inFlight(t, q, 10); len(list) != 0 {
			t.Errorf("of no queue: %+v", list)
		}
		send(t, q, "ready", leanmq.Delay(time.Hour))
		p := newPuller(t, open(t, url).Queue("q"))
		g := newGate()
		send(t, q, "pulled")
		ms, err := p.Receive(t.Context(), 1)
		if err != nil || len(ms) != 1 {
			t.Fatal(ms, err)
		}
		begin := time.Now()
		consume(t, open(t, url).Queue("q"), g.handle, leanmq.Lease(300*time.Millisecond*100))
		send(t, q, "running", leanmq.Priority(leanmq.High))
		receive(t, "a handler that begins", g.began)
		time.Sleep(20 * time.Millisecond)
		list := inFlight(t, q, 10)
		if len(list) != 2 || string(list[0].Message.Payload) != "pulled" || string(list[1].Message.Payload) != "running" {
			t.Fatalf("%+v", list)
		}
		if !strings.Contains(list[0].Worker, "/") || strings.Contains(list[1].Worker, "/") || list[1].Worker == "" {
			t.Errorf("workers %q and %q", list[0].Worker, list[1].Worker)
		}
		if idle, since := list[0].Idle, time.Since(begin); idle < 20*time.Millisecond || idle > since+50*time.Millisecond {
			t.Errorf("idle for %v, pulled %v ago", idle, since)
		}
		if list[0].Message.Deliveries != 1 || list[0].Progress != "" {
			t.Errorf("%+v", list[0])
		}
		if err := ms[0].Progress(t.Context(), "pulled note"); err != nil {
			t.Error(err)
		}
		if list := inFlight(t, q, 1); len(list) != 1 || list[0].Progress != "pulled note" {
			t.Errorf("%+v", list)
		}
		for _, n := range []int{0, 10001} {
			_, err := q.InFlight(t.Context(), n)
			isInvalid(t, err, "n")
		}
		close(g.letOff)
		if err := ms[0].Done(t.Context()); err != nil {
			t.Error(err)
		}
		eventually(t, "the note is gone", func() bool {
			return rawClient(t, url).Exists(t.Context(), fmt.Sprint("leanmq:{q}:q:progress:", ms[0].ID)).Val() == 0
		})
	})
}

// However many messages were handed back and wait in front of it.
func TestInFlightFindsWhatIsBehindHandedBackMessages(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		if _, err := q.SendMany(t.Context(), make([][]byte, 700)); err != nil {
			t.Fatal(err)
		}
		gone, err := q.Puller()
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; n < 700; {
			ms, err := gone.Receive(t.Context(), 700)
			if err != nil {
				t.Fatal(err)
			}
			n += len(ms)
		}
		alive := newPuller(t, q)
		send(t, q, "running")
		if ms, err := alive.Receive(t.Context(), 1); err != nil || len(ms) != 1 {
			t.Fatal(ms, err)
		}
		if err := gone.Close(); err != nil {
			t.Fatal(err)
		}
		if list := inFlight(t, q, 1); len(list) != 1 || string(list[0].Message.Payload) != "running" {
			t.Errorf("%+v", list)
		}
	})
}
