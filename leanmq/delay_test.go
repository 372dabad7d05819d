package leanmq_test

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// punctual checks when messages came that were due at certain times. Redis and
// the tests share a machine, hence a clock, which Redis tells in ms.
func punctual(t *testing.T, due map[string]time.Time, all []seen) {
	t.Helper()
	var late []time.Duration
	for _, m := range all {
		d := m.At.Sub(due[m.ID])
		if d < -time.Millisecond {
			t.Errorf("%s came %v early", m.Payload, -d)
		}
		if d > time.Second {
			t.Errorf("%s came %v late", m.Payload, d)
		}
		late = append(late, d)
	}
	if m := median(late); m > slack*100*time.Millisecond {
		t.Errorf("half of them came more than %v late", m)
	}
}

func TestDelayedMessagesArePunctual(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq, sender := open(t, url), open(t, url)
		var got record
		for i := range 3 {
			consume(t, mq.Queue(fmt.Sprint("q", i)), got.done)
		}
		due := map[string]time.Time{}
		n := 0
		for i := range 30 {
			q := sender.Queue(fmt.Sprint("q", i%3))
			delay := time.Duration(1+i*37%300) * time.Millisecond
			var opt leanmq.SendOption
			at := time.Now().Add(delay)
			if opt = leanmq.Delay(delay); i%2 == 0 {
				opt = leanmq.At(at)
			}
			due[send(t, q, strconv.Itoa(i), opt)] = at
			n++
		}
		punctual(t, due, got.wait(t, n))
		for i := range 3 {
			becomesEmpty(t, mq.Queue(fmt.Sprint("q", i)))
		}
		if got.count() != n {
			t.Errorf("%d messages were handled, %d were sent", got.count(), n)
		}
	})
}

// The scheduler sleeps until the next message is due. A nearer one that comes
// from elsewhere wakes it.
func TestShortDelayOvertakesALongOne(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q, other := open(t, url).Queue("jobs"), open(t, url).Queue("jobs")
		var got record
		consume(t, q, got.done)
		send(t, other, "far", leanmq.Delay(time.Hour))
		send(t, other, "warm-up")
		got.wait(t, 1)
		var late []time.Duration
		for range 5 {
			n := got.count()
			due := time.Now().Add(50 * time.Millisecond)
			send(t, other, "near", leanmq.Delay(50*time.Millisecond))
			m := got.wait(t, n+1)[n]
			late = append(late, m.At.Sub(due))
		}
		if m := median(late); m < -time.Millisecond || m > slack*100*time.Millisecond {
			t.Errorf("late by %v", late)
		}
		if i := info(t, q); i.Scheduled != 1 {
			t.Errorf("%+v", i)
		}
	})
}

func TestTimeInThePastIsNow(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		var got record
		consume(t, q, got.done)
		for i, at := range []time.Time{time.Now().Add(-time.Hour), time.Unix(1, 0), time.Unix(-1, 0), {}} {
			begin := time.Now()
			id := send(t, q, "x", leanmq.At(at))
			if m := got.wait(t, i+1)[i]; m.ID != id || m.At.Sub(begin) > slack*2*time.Second {
				t.Errorf("%v: %+v after %v", at, m, m.At.Sub(begin))
			}
		}
	})
}

func TestFarFutureIsNotNow(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		var got record
		consume(t, q, got.done)
		send(t, q, "x", leanmq.Delay(1<<63-1))
		send(t, q, "x", leanmq.At(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)))
		send(t, q, "now", leanmq.Delay(20*time.Millisecond))
		if m := got.wait(t, 1)[0]; m.Payload != "now" {
			t.Errorf("%+v", m)
		}
		if i := info(t, q); i.Scheduled != 2 || i.Ready+i.InFlight > 1 {
			t.Errorf("%+v", i)
		}
	})
}

func TestScheduledMessagesCanBeLookedAt(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		at := time.Now().Add(2 * time.Hour).Truncate(time.Millisecond)
		second := send(t, q, "second", leanmq.At(at), leanmq.WithHeader("kk", "v"))
		first := send(t, q, "first", leanmq.Delay(time.Hour), leanmq.ID("mine"))
		consume(t, q, new(record).done) // does not touch them
		for range 2 {
			got, err := q.Scheduled(t.Context(), 10)
			if err != nil || len(got) != 2 {
				t.Fatal(got, err)
			}
			if a, b := got[0], got[1]; a.Message.ID != first || string(a.Message.Payload) != "first" || b.Message.ID != second ||
				!b.Due.Equal(at) || b.Message.Header.Get("kk") != "v" || b.Message.Attempt != 1 ||
				a.Due.Before(a.Message.SentAt.Add(time.Hour)) || time.Until(a.Due) > time.Hour {
				t.Errorf("%+v", got)
			}
		}
		if got, err := q.Scheduled(t.Context(), 1); err != nil || len(got) != 1 || got[0].Message.ID != first {
			t.Errorf("%+v, %v", got, err)
		}
		for _, n := range []int{0, -1, 10001} {
			_, err := q.Scheduled(t.Context(), n)
			isInvalid(t, err, "n")
		}
		if i := info(t, q); i.Scheduled != 2 || i.Ready != 0 {
			t.Errorf("%+v", i)
		}
	})
}

// What became due while nobody was there comes as soon as somebody is.
func TestDelayedMessagesWaitForAConsumer(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		// More than one promotion moves.
		if _, err := q.SendMany(t.Context(), make([][]byte, 700), leanmq.Delay(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		last := time.Now()
		eventually(t, "they are due", func() bool { return time.Since(last) > 2*time.Millisecond })
		if i := info(t, q); i.Scheduled != 700 {
			t.Errorf("%+v", i)
		}
		var got record
		begin := time.Now()
		consume(t, q, got.done)
		got.wait(t, 700)
		if took := time.Since(begin); took > slack*2*time.Second {
			t.Errorf("it took %v", took)
		}
		becomesEmpty(t, q)
		if got.count() != 700 {
			t.Errorf("%d were handled", got.count())
		}
	})
}

func TestSeveralProcessesPromoteEachMessageOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var got record
		for range 4 {
			consume(t, open(t, url).Queue("jobs"), got.done)
		}
		q := open(t, url).Queue("jobs")
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for i := range 100 {
					if _, err := q.Send(t.Context(), nil, leanmq.Delay(time.Duration(1+i%40)*time.Millisecond)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		got.wait(t, 400)
		becomesEmpty(t, q)
		ids := map[string]bool{}
		for _, m := range got.list() {
			ids[m.ID] = true
		}
		if len(ids) != 400 || got.count() != 400 {
			t.Errorf("%d messages were handled %d times", len(ids), got.count())
		}
	})
}
