package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// sequence notes in which order messages of each ordering key are done, and whether
// two of them ever ran at once.
type sequence struct {
	mu      sync.Mutex
	running map[string]int
	done    map[string][]string
	overlap []string
}

func newSequence() *sequence {
	return &sequence{running: map[string]int{}, done: map[string][]string{}}
}

// handle is a handler whose messages say their key in a header; fail decides which
// attempts fail.
func (s *sequence) handle(fail func(*leanmq.Message) bool) leanmq.Handler {
	return func(_ context.Context, m *leanmq.Message) error {
		key := m.Header.Get("key")
		s.mu.Lock()
		s.running[key]++
		if s.running[key] > 1 {
			s.overlap = append(s.overlap, key)
		}
		s.mu.Unlock()
		time.Sleep(rand.N(time.Millisecond))
		failed := fail != nil && fail(m)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running[key]--
		if failed {
			return errors.New("not yet")
		}
		s.done[key] = append(s.done[key], string(m.Payload))
		return nil
	}
}

// sendInOrder sends n messages of each key, in turn, some of each kind of send.
func sendInOrder(t *testing.T, q *leanmq.Queue, keys, n int) (want []string) {
	t.Helper()
	levels := []leanmq.Level{leanmq.Normal, leanmq.Urgent, leanmq.Low}
	for i := range n {
		for k := range keys {
			key := fmt.Sprint("k", k)
			opts := []leanmq.SendOption{
				leanmq.OrderingKey(key), leanmq.WithHeader("key", key),
				leanmq.Priority(levels[rand.N(len(levels))]),
			}
			if i%3 == 0 {
				opts = append(opts, leanmq.ID(fmt.Sprint(key, "-", i)))
			}
			send(t, q, fmt.Sprint(i), opts...)
		}
		want = append(want, fmt.Sprint(i))
	}
	return want
}

func (s *sequence) check(t *testing.T, keys int, want []string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range keys {
		if got := s.done[fmt.Sprint("k", k)]; !slices.Equal(got, want) {
			t.Errorf("key k%d: %v, want %v", k, got, want)
		}
	}
	if len(s.overlap) > 0 {
		t.Errorf("ran at once: %v", s.overlap)
	}
}

var patient = leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 1000, MinBackoff: time.Millisecond, MaxBackoff: 3 * time.Millisecond})

func TestMessagesWithOneOrderingKeyAreHandledInSendOrder(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const keys, each = 5, 20
		seq := newSequence()
		flaky := func(m *leanmq.Message) bool { return m.Attempt < 3 && rand.N(4) == 0 }
		for range 3 { // as many processes
			consume(t, open(t, url).Queue("q"), seq.handle(flaky), patient)
		}
		q := open(t, url).Queue("q")
		want := sendInOrder(t, q, keys, each)
		becomesEmpty(t, q)
		seq.check(t, keys, want)
		nothingIsLeft(t, url, "q")
	})
}

// nothingIsLeft checks that lanes, keys and tokens went with the messages.
func nothingIsLeft(t *testing.T, url, name string) {
	t.Helper()
	base := "leanmq:{" + name + "}:" + name
	c := rawClient(t, url)
	for _, key := range c.Keys(t.Context(), base+"*").Val() {
		switch rest := strings.TrimPrefix(key, base); {
		case rest == "", rest == ":workers", rest == ":meta", rest == ":rate", rest == ":canceled":
		case strings.HasPrefix(rest, ":p"), strings.HasPrefix(rest, ":dedupe:"):
		default:
			t.Errorf("%s is left", key)
		}
	}
	if blocked := c.HGet(t.Context(), base+":meta", "blocked").Val(); blocked != "" && blocked != "0" {
		t.Errorf("%s messages are blocked", blocked)
	}
}

// Workers come and go, and hand back what they have not begun.
func TestOrderOutlivesWorkersThatComeAndGo(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const keys, each = 4, 25
		seq := newSequence()
		q := open(t, url).Queue("q")
		var want []string
		var churn sync.WaitGroup
		for range 2 {
			mq := open(t, url)
			churn.Go(func() {
				for range 8 {
					ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond+rand.N(60*time.Millisecond))
					if err := mq.Queue("q").Consume(ctx, seq.handle(nil), leanmq.Concurrency(2)); err != nil {
						t.Error(err)
					}
					cancel()
				}
			})
		}
		want = sendInOrder(t, q, keys, each)
		churn.Wait()
		consume(t, q, seq.handle(nil))
		becomesEmpty(t, q)
		seq.check(t, keys, want)
	})
}

// However the message that goes first ends, the next one goes on.
func TestNextInOrderGoesOnHoweverTheOneBeforeEnds(t *testing.T) {
	ends := map[string]struct {
		opts   []leanmq.SendOption
		handle func(q *leanmq.Queue, m *leanmq.Message) error
	}{
		"done":      {},
		"rejected":  {handle: func(*leanmq.Queue, *leanmq.Message) error { return leanmq.Reject(nil) }},
		"exhausted": {handle: func(*leanmq.Queue, *leanmq.Message) error { return errors.New("no") }},
		"panic":     {handle: func(*leanmq.Queue, *leanmq.Message) error { panic("no") }},
		"expired":   {opts: []leanmq.SendOption{leanmq.TTL(time.Millisecond)}},
		"expired while it runs": {
			opts: []leanmq.SendOption{leanmq.TTL(50 * time.Millisecond)},
			handle: func(*leanmq.Queue, *leanmq.Message) error {
				time.Sleep(100 * time.Millisecond)
				return errors.New("late")
			},
		},
		"canceled": {handle: func(q *leanmq.Queue, m *leanmq.Message) error {
			_, err := q.Cancel(context.Background(), m.ID)
			time.Sleep(100 * time.Millisecond)
			return errors.Join(err, errors.New("canceled meanwhile"))
		}},
		"a level of its own": {opts: []leanmq.SendOption{leanmq.Priority(leanmq.Low)}},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			redistest.ForEachStore(t, func(t *testing.T, url string) {
				q := open(t, url).Queue("q")
				send(t, q, "first", append(end.opts, leanmq.OrderingKey("k"))...)
				send(t, q, "second", leanmq.OrderingKey("k"))
				send(t, q, "third", leanmq.OrderingKey("k"))
				if i := info(t, q); i.Blocked != 2 || i.Ready != 1 {
					t.Errorf("%+v, want two blocked", i)
				}
				time.Sleep(2 * time.Millisecond) // the first one's life may be over
				var got record
				consume(t, q, func(_ context.Context, m *leanmq.Message) error {
					got.add(m)
					if string(m.Payload) == "first" && end.handle != nil {
						return end.handle(q, m)
					}
					return nil
				}, quick)
				got.wait(t, 2)
				eventually(t, "all are handled", func() bool {
					i := info(t, q)
					return slices.Contains(got.payloads(), "third") && i.Ready+i.InFlight+i.Scheduled+i.Blocked == 0
				})
				rest := slices.DeleteFunc(got.payloads(), func(s string) bool { return s == "first" })
				if !slices.Equal(rest, []string{"second", "third"}) {
					t.Errorf("%v", got.payloads())
				}
				nothingIsLeftBut(t, url, ":dlq")
			})
		})
	}
}

func nothingIsLeftBut(t *testing.T, url, allowed string) {
	t.Helper()
	for _, key := range rawClient(t, url).Keys(t.Context(), "leanmq:{q}:q:order*").Val() {
		if !strings.HasSuffix(key, allowed) {
			t.Errorf("%s is left", key)
		}
	}
}

func TestPullerKeepsOrder(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		for i := range 3 {
			send(t, q, fmt.Sprint(i), leanmq.OrderingKey("k"))
		}
		p := newPuller(t, q)
		for i := range 3 {
			ms, err := p.Receive(t.Context(), 10)
			if err != nil || len(ms) != 1 || string(ms[0].Payload) != fmt.Sprint(i) {
				t.Fatalf("%v, %v, want only message %d", ms, err, i)
			}
			for range 2 { // a lost reply: it is done once
				if err := ms[0].Done(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}
		becomesEmpty(t, q)
	})
}

func TestBlockedMessagesCount(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("q", leanmq.MaxLen(3))
		for range 3 {
			send(t, q, "x", leanmq.OrderingKey("k"))
		}
		if _, err := q.Send(t.Context(), nil, leanmq.OrderingKey("k")); !errors.Is(err, leanmq.ErrQueueFull) {
			t.Errorf("a fourth one: %v", err)
		}
		if i := info(t, q); i.Ready != 1 || i.Blocked != 2 {
			t.Errorf("%+v", i)
		}
		if err := q.Delete(t.Context()); !errors.Is(err, leanmq.ErrNotEmpty) || !strings.Contains(fmt.Sprint(err), "3") {
			t.Errorf("%v", err)
		}
		if err := q.ForceDelete(t.Context()); err != nil {
			t.Error(err)
		}
		if keys := rawClient(t, url).Keys(t.Context(), "*").Val(); len(keys) != 0 {
			t.Errorf("left: %v", keys)
		}
		send(t, q, "anew", leanmq.OrderingKey("k"))
		var got record
		consume(t, q, got.done)
		got.wait(t, 1)
		becomesEmpty(t, q)
	})
}

func TestOrderingKeyBounds(t *testing.T) {
	q := open(t, "mem://").Queue("q")
	for _, key := range []string{"", strings.Repeat("x", 257)} {
		_, err := q.Send(t.Context(), nil, leanmq.OrderingKey(key))
		isInvalid(t, err, "OrderingKey")
	}
	send(t, q, "x", leanmq.OrderingKey(strings.Repeat("x", 256)))
	send(t, q, "x", leanmq.OrderingKey("{}: \x00\xff"))
}
