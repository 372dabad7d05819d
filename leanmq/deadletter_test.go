package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// bury sends n messages, "0" and so on, and has them rejected.
func bury(t *testing.T, q *leanmq.Queue, n int) {
	t.Helper()
	before := info(t, q).Dead
	texts := make([][]byte, n)
	for i := range texts {
		texts[i] = []byte(strconv.Itoa(i))
	}
	if _, err := q.SendMany(t.Context(), texts, leanmq.WithHeader("kk", "v"), leanmq.Target("/x")); err != nil {
		t.Fatal(err)
	}
	c := consume(t, q, func(_ context.Context, m *leanmq.Message) error {
		return leanmq.Reject(fmt.Errorf("no. %s", m.Payload))
	}, leanmq.Concurrency(1))
	eventually(t, "all are dead", func() bool { return info(t, q).Dead == before+int64(n) })
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
}

func TestLookingAtDeadLettersLeavesThem(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const n = 1203 // more than two pages
		q := open(t, url).Queue("jobs")
		for range deadLetters(t, q) {
			t.Fatal("a queue that does not exist has dead letters")
		}
		bury(t, q, n)
		for range 2 {
			ds := deadLetters(t, q)
			if len(ds) != n {
				t.Fatalf("%d dead letters, want %d", len(ds), n)
			}
			for i, d := range ds {
				if string(d.Message.Payload) != strconv.Itoa(i) || d.Error != "no. "+strconv.Itoa(i) || d.Reason != leanmq.ReasonRejected || d.Letter == "" {
					t.Fatalf("dead letter %d: %+v", i, d)
				}
			}
			one, err := q.DeadLetter(t.Context(), ds[700].Letter)
			if err != nil || one.Letter != ds[700].Letter || string(one.Message.Payload) != "700" || one.Message.Header.Get("kk") != "v" {
				t.Errorf("%+v, %v", one, err)
			}
		}
		i := 0
		for d, err := range q.DeadLetters(t.Context()) {
			if err != nil || string(d.Message.Payload) != strconv.Itoa(i) {
				t.Fatal(d, err)
			}
			if i++; i == 3 {
				break
			}
		}
		if in := info(t, q); in.Dead != n || in.Ready+in.InFlight+in.Scheduled != 0 {
			t.Errorf("%+v", in)
		}
	})
}

func TestErrorEndsTheIteration(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		bury(t, q, 3)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		n := 0
		for d, err := range q.DeadLetters(ctx) {
			n++
			if d != nil || !errors.Is(err, context.Canceled) {
				t.Errorf("%v, %v", d, err)
			}
		}
		if n != 1 {
			t.Errorf("%d iterations", n)
		}
	})
}

func TestRequeuedMessageStartsANewLife(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		bury(t, q, 3)
		ds := deadLetters(t, q)
		if n, err := q.Requeue(t.Context(), ds[1].Letter); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if n, err := q.Requeue(t.Context(), ds[1].Letter); n != 0 || !errors.Is(err, leanmq.ErrNotFound) {
			t.Errorf("again: %d, %v", n, err)
		}
		if _, err := q.DeadLetter(t.Context(), ds[1].Letter); !errors.Is(err, leanmq.ErrNotFound) {
			t.Errorf("it is still there: %v", err)
		}
		var got record
		consume(t, q, got.done)
		m := got.wait(t, 1)[0]
		if m.ID != ds[1].Message.ID || m.Payload != "1" || m.Header.Get("kk") != "v" || m.Target != "/x" ||
			m.Attempt != 1 || m.Deliveries != 1 || m.LastError != "" {
			t.Errorf("%+v", m)
		}
		eventually(t, "it is done", func() bool { i := info(t, q); return i.InFlight+i.Ready == 0 })
		if i := info(t, q); i.Dead != 2 || got.count() != 1 {
			t.Errorf("%+v, %d handled", i, got.count())
		}
	})
}

func TestRequeueOfSeveralReportsThoseThatAreMissing(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		bury(t, q, 3)
		ds := deadLetters(t, q)
		n, err := q.Requeue(t.Context(), ds[0].Letter, "1-1", ds[2].Letter, ds[2].Letter)
		if n != 2 || !errors.Is(err, leanmq.ErrNotFound) {
			t.Errorf("%d, %v", n, err)
		}
		if i := info(t, q); i.Ready != 2 || i.Dead != 1 {
			t.Errorf("%+v", i)
		}
		if n, err := q.Requeue(t.Context()); n != 0 || err != nil {
			t.Errorf("none: %d, %v", n, err)
		}
		for _, bad := range []string{"", "x", "1", "-", "+", "1-x", "(1-1"} {
			_, err := q.Requeue(t.Context(), ds[1].Letter, bad)
			isInvalid(t, err, "letter")
			_, err = q.PurgeDead(t.Context(), bad)
			isInvalid(t, err, "letter")
			_, err = q.DeadLetter(t.Context(), bad)
			isInvalid(t, err, "letter")
		}
		if i := info(t, q); i.Ready != 2 || i.Dead != 1 {
			t.Errorf("after refused calls: %+v", i)
		}
	})
}

func TestRequeueAllByManyMovesEachOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const n = 1100
		q := open(t, url).Queue("jobs")
		bury(t, q, n)
		ds := deadLetters(t, q)
		var moved atomic.Int64
		var wg sync.WaitGroup
		for g := range 4 {
			other := open(t, url).Queue("jobs")
			wg.Go(func() {
				if g == 0 {
					for _, d := range ds[:50] {
						m, err := other.Requeue(t.Context(), d.Letter)
						if err != nil && !errors.Is(err, leanmq.ErrNotFound) {
							t.Error(err)
						}
						moved.Add(int64(m))
					}
					return
				}
				m, err := other.RequeueAll(t.Context())
				if err != nil {
					t.Error(err)
				}
				moved.Add(int64(m))
			})
		}
		wg.Wait()
		if moved.Load() != n {
			t.Errorf("%d moves were reported for %d letters", moved.Load(), n)
		}
		var got record
		consume(t, q, got.done)
		got.wait(t, n)
		becomesEmpty(t, q)
		payloads := map[string]bool{}
		for _, p := range got.payloads() {
			payloads[p] = true
		}
		if len(payloads) != n || got.count() != n {
			t.Errorf("%d messages were handled %d times, want %d", len(payloads), got.count(), n)
		}
	})
}

// It ends, although what it requeues dies again meanwhile.
func TestRequeueAllEndsWhileNewDeadLettersArrive(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		bury(t, q, 600)
		consume(t, q, func(context.Context, *leanmq.Message) error { return leanmq.Reject(nil) })
		if n, err := q.RequeueAll(t.Context()); n != 600 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		eventually(t, "all are dead again", func() bool { return info(t, q).Dead == 600 })
		if n, err := open(t, url).Queue("none").RequeueAll(t.Context()); n != 0 || err != nil {
			t.Errorf("nothing to requeue: %d, %v", n, err)
		}
	})
}

func TestPurgeDeletesForGood(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		bury(t, q, 5)
		ds := deadLetters(t, q)
		if n, err := q.PurgeDead(t.Context(), ds[1].Letter, ds[3].Letter, "1-1"); n != 2 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		left := deadLetters(t, q)
		if len(left) != 3 || left[0].Letter != ds[0].Letter || left[1].Letter != ds[2].Letter || left[2].Letter != ds[4].Letter {
			t.Errorf("left: %v", left)
		}
		send(t, q, "stays")
		if n, err := q.PurgeDead(t.Context()); n != 0 || err != nil {
			t.Errorf("none was named, and yet: %d, %v", n, err)
		}
		if n, err := q.PurgeAllDead(t.Context()); n != 3 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if n, err := q.PurgeAllDead(t.Context()); n != 0 || err != nil {
			t.Errorf("nothing to purge: %d, %v", n, err)
		}
		if i := info(t, q); i.Dead != 0 || i.Ready != 1 {
			t.Errorf("%+v", i)
		}
	})
}
