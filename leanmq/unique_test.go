package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// refused checks that a send is a duplicate of the message called first.
func refused(t *testing.T, q *leanmq.Queue, first string, opts ...leanmq.SendOption) {
	t.Helper()
	if id, err := q.Send(t.Context(), []byte("again"), opts...); !errors.Is(err, leanmq.ErrDuplicate) || id != first {
		t.Errorf("got %q, %v; want a duplicate of %q", id, err, first)
	}
}

func TestUniqueLetsOneOfManyIn(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		clients := []*leanmq.Client{open(t, url), open(t, url)}
		var sends sync.WaitGroup
		var in, out atomic.Int64
		var ids sync.Map
		for i := range 60 {
			q := clients[i%2].Queue("q")
			sends.Go(func() {
				opts := []leanmq.SendOption{leanmq.Unique("k")}
				if i%3 == 0 {
					opts = append(opts, leanmq.OrderingKey("o"))
				}
				id, err := q.Send(context.Background(), nil, opts...)
				switch {
				case err == nil:
					in.Add(1)
				case errors.Is(err, leanmq.ErrDuplicate):
					out.Add(1)
				default:
					t.Error(err)
				}
				ids.Store(id, true)
			})
		}
		sends.Wait()
		n := 0
		ids.Range(func(any, any) bool { n++; return true })
		if in.Load() != 1 || out.Load() != 59 || n != 1 {
			t.Errorf("%d were sent, %d refused, with %d ids", in.Load(), out.Load(), n)
		}
	})
}

// A unique key is free again when its message has ended, however, and not before.
func TestUniqueKeyIsFreedWhenItsMessageEnds(t *testing.T) {
	type try struct {
		opts   []leanmq.SendOption
		handle func(q *leanmq.Queue, m *leanmq.Message) error
	}
	ends := map[string]try{
		"done":      {},
		"rejected":  {handle: func(*leanmq.Queue, *leanmq.Message) error { return leanmq.Reject(nil) }},
		"exhausted": {handle: func(*leanmq.Queue, *leanmq.Message) error { return errors.New("no") }},
		"after retries": {handle: func(_ *leanmq.Queue, m *leanmq.Message) error {
			if m.Attempt < 3 {
				return errors.New("not yet")
			}
			return nil
		}},
		"expired":              {opts: []leanmq.SendOption{leanmq.TTL(time.Millisecond)}},
		"delayed":              {opts: []leanmq.SendOption{leanmq.Delay(20 * time.Millisecond)}},
		"in order, of a level": {opts: []leanmq.SendOption{leanmq.OrderingKey("o"), leanmq.Priority(leanmq.High)}},
		"with an id":           {opts: []leanmq.SendOption{leanmq.ID("mine"), leanmq.Dedupe(0)}},
		"canceled while it runs": {handle: func(q *leanmq.Queue, m *leanmq.Message) error {
			_, err := q.Cancel(context.Background(), m.ID)
			time.Sleep(100 * time.Millisecond)
			return errors.Join(err, errors.New("canceled meanwhile"))
		}},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			redistest.ForEachStore(t, func(t *testing.T, url string) {
				q := open(t, url).Queue("q")
				opts := append(end.opts, leanmq.Unique("k"))
				first := send(t, q, "x", opts...)
				refused(t, q, first, leanmq.Unique("k"))
				send(t, q, "another", leanmq.Unique("another key"))
				time.Sleep(2 * time.Millisecond)
				var check sync.Once
				consume(t, q, func(_ context.Context, m *leanmq.Message) error {
					if m.ID != first {
						return nil
					}
					check.Do(func() { refused(t, q, first, leanmq.Unique("k")) })
					if end.handle != nil {
						return end.handle(q, m)
					}
					return nil
				}, quick)
				eventually(t, "the key is free", func() bool {
					_, err := q.Send(t.Context(), nil, opts...)
					if err != nil && !errors.Is(err, leanmq.ErrDuplicate) {
						t.Fatal(err)
					}
					return err == nil
				})
			})
		})
	}
}

func TestUniqueKeyIsFreedByCancel(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		first := send(t, q, "x", leanmq.Unique("k"))
		if removed, err := q.Cancel(t.Context(), first); !removed || err != nil {
			t.Fatal(removed, err)
		}
		second := send(t, q, "x", leanmq.Unique("k"), leanmq.Delay(time.Hour))
		refused(t, q, second, leanmq.Unique("k"))
		if removed, err := q.Cancel(t.Context(), second); !removed || err != nil {
			t.Fatal(removed, err)
		}
		send(t, q, "x", leanmq.Unique("k"))
	})
}

// A dead letter that is requeued takes its key again; if another message has it by
// then, it goes without, and its end does not free the other one's.
func TestRequeuedMessageAndItsUniqueKey(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		reject := func(context.Context, *leanmq.Message) error { return leanmq.Reject(nil) }
		die := func() *leanmq.DeadLetter {
			c := consume(t, q, reject)
			d := oneDead(t, q)
			if err := c.Stop(); err != nil {
				t.Fatal(err)
			}
			return d
		}
		first := send(t, q, "first", leanmq.Unique("k"))
		if _, err := q.Requeue(t.Context(), die().Letter); err != nil {
			t.Fatal(err)
		}
		refused(t, q, first, leanmq.Unique("k"))

		letter := die()
		second := send(t, q, "second", leanmq.Unique("k"), leanmq.Delay(time.Hour))
		if _, err := q.Requeue(t.Context(), letter.Letter); err != nil {
			t.Fatal(err)
		}
		var got record
		consume(t, q, got.done)
		if m := got.wait(t, 1)[0]; m.ID != first {
			t.Errorf("%+v", m)
		}
		eventually(t, "it is done", func() bool { return info(t, q).InFlight == 0 })
		refused(t, q, second, leanmq.Unique("k"))
	})
}

// A worker that lost the message to another one does not free its key.
func TestStaleWorkerFreesNoUniqueKey(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		pull := func(lease time.Duration) *leanmq.Pulled {
			p, err := open(t, url).Queue("q").Puller(leanmq.Lease(lease))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = p.Close() })
			ms, err := p.Receive(t.Context(), 1)
			if err != nil || len(ms) != 1 {
				t.Fatal(ms, err)
			}
			return ms[0]
		}
		first := send(t, q, "x", leanmq.Unique("k"))
		stale := pull(time.Minute)
		owner := pull(100 * time.Millisecond) // waits for the idle time of that lease
		if err := stale.Done(t.Context()); !errors.Is(err, leanmq.ErrLeaseLost) {
			t.Errorf("done by a stale worker: %v", err)
		}
		refused(t, q, first, leanmq.Unique("k"))
		if err := owner.Done(t.Context()); err != nil {
			t.Error(err)
		}
		next := send(t, q, "next", leanmq.Unique("k"))
		if err := owner.Done(t.Context()); err != nil && !errors.Is(err, leanmq.ErrLeaseLost) {
			t.Error(err) // a repetition after a lost reply
		}
		refused(t, q, next, leanmq.Unique("k"))
	})
}

func TestUniquePayload(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		first := send(t, q, "again", leanmq.UniquePayload())
		refused(t, q, first, leanmq.UniquePayload())
		send(t, q, "another", leanmq.UniquePayload())
		ids, err := q.SendMany(t.Context(), [][]byte{[]byte("a"), []byte("again"), []byte("a"), []byte("b")}, leanmq.UniquePayload())
		if !errors.Is(err, leanmq.ErrDuplicate) || ids[0] == "" || ids[1] != first || ids[2] != ids[0] || ids[3] == "" {
			t.Errorf("%q, %v", ids, err)
		}
		if i := info(t, q); i.Ready != 4 {
			t.Errorf("%+v", i)
		}
	})
}

// UniqueFor holds for its time, whatever becomes of the message.
func TestUniqueFor(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		const window = 300 * time.Millisecond
		begin := time.Now()
		first := send(t, q, "x", leanmq.UniqueFor("k", window))
		send(t, q, "x", leanmq.UniqueFor("another", window))
		var got record
		consume(t, q, got.done)
		got.wait(t, 2)
		becomesEmpty(t, q)
		if time.Since(begin) < window/2 {
			refused(t, q, first, leanmq.UniqueFor("k", time.Hour))
		}
		eventually(t, "the time is over", func() bool {
			_, err := q.Send(t.Context(), nil, leanmq.UniqueFor("k", time.Hour))
			return err == nil
		})
		// The clock of the embedded store goes in steps.
		if took := time.Since(begin); took < window-50*time.Millisecond {
			t.Errorf("it held for %v, want %v", took, window)
		}
		// Together with Unique the stricter one decides, and what is refused leaves nothing.
		held := send(t, q, "x", leanmq.Unique("u"), leanmq.Delay(time.Hour))
		refused(t, q, held, leanmq.Unique("u"), leanmq.UniqueFor("fresh", time.Hour))
		send(t, q, "x", leanmq.UniqueFor("fresh", time.Hour))
		both := send(t, q, "x", leanmq.Unique("v"), leanmq.UniqueFor("w", time.Hour))
		refused(t, q, both, leanmq.Unique("other"), leanmq.UniqueFor("w", time.Hour))
		send(t, q, "x", leanmq.Unique("other"), leanmq.Delay(time.Hour))
	})
}

func TestUniqueBounds(t *testing.T) {
	q := open(t, "mem://").Queue("q")
	long := strings.Repeat("x", 257)
	for field, opts := range map[string][]leanmq.SendOption{
		"Unique":    {leanmq.Unique(""), leanmq.Unique(long)},
		"UniqueFor": {leanmq.UniqueFor("", time.Hour), leanmq.UniqueFor(long, time.Hour), leanmq.UniqueFor("k", 0), leanmq.UniqueFor("k", time.Microsecond), leanmq.UniqueFor("k", 31*24*time.Hour)},
	} {
		for i, opt := range opts {
			t.Run(fmt.Sprint(field, i), func(t *testing.T) {
				_, err := q.Send(t.Context(), nil, opt)
				isInvalid(t, err, field)
			})
		}
	}
	_, err := q.Send(t.Context(), nil, leanmq.Unique("k"), leanmq.UniquePayload())
	isInvalid(t, err, "Unique")
	if !strings.Contains(fmt.Sprint(err), "UniquePayload") {
		t.Errorf("%v does not name both", err)
	}
	for field, opt := range map[string]leanmq.SendOption{
		"Unique": leanmq.Unique("k"), "UniqueFor": leanmq.UniqueFor("k", time.Hour),
	} {
		_, err = q.SendMany(t.Context(), [][]byte{nil, nil}, opt)
		isInvalid(t, err, field)
	}
	if i := info(t, q); i.Ready != 0 {
		t.Errorf("%+v", i)
	}
}
