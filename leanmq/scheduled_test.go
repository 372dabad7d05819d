package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestCancelledMessageIsNeverDelivered(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q, other := open(t, url).Queue("jobs"), open(t, url).Queue("jobs")
		var got record
		consume(t, q, got.done)
		mine := send(t, q, "mine", leanmq.Delay(time.Hour), leanmq.ID("reminder-42"))
		theirs := send(t, q, "theirs", leanmq.Delay(time.Hour))
		many, err := q.SendMany(t.Context(), make([][]byte, 3), leanmq.Delay(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		last := send(t, q, "last", leanmq.Delay(time.Millisecond))
		for _, id := range append(many, mine, theirs) {
			m, err := other.ScheduledMessage(t.Context(), id)
			if err != nil || m.Message.ID != id || time.Until(m.Due) > time.Hour {
				t.Errorf("%+v, %v", m, err)
			}
			if err := other.CancelScheduled(t.Context(), id); err != nil {
				t.Errorf("%s: %v", id, err)
			}
			_, err = q.ScheduledMessage(t.Context(), id)
			for _, err := range []error{err, q.CancelScheduled(t.Context(), id), q.Reschedule(t.Context(), id, time.Now())} {
				if !errors.Is(err, leanmq.ErrNotFound) {
					t.Errorf("what is cancelled: %v", err)
				}
			}
		}
		if m := got.wait(t, 1)[0]; m.ID != last || got.count() != 1 {
			t.Errorf("%+v, and %d in all", m, got.count())
		}
		if err := q.CancelScheduled(t.Context(), last); !errors.Is(err, leanmq.ErrNotFound) {
			t.Errorf("what was delivered: %v", err)
		}
		// The id stays remembered.
		if _, err := q.Send(t.Context(), nil, leanmq.ID("reminder-42")); !errors.Is(err, leanmq.ErrDuplicate) {
			t.Error(err)
		}
		becomesEmpty(t, q)
	})
}

func TestRescheduledMessageComesThen(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q, other := open(t, url).Queue("jobs"), open(t, url).Queue("jobs")
		var got record
		consume(t, q, got.done)
		due := map[string]time.Time{}
		earlier := send(t, q, "earlier", leanmq.Delay(time.Hour))
		later := send(t, q, "later", leanmq.Delay(2*time.Second)) // long enough for the send and the Reschedule
		for id, at := range map[string]time.Time{
			later:   time.Now().Add(2500 * time.Millisecond),
			earlier: time.Now().Add(250 * time.Millisecond),
		} {
			if err := other.Reschedule(t.Context(), id, at); err != nil {
				t.Fatal(err)
			}
			due[id] = at.Truncate(time.Millisecond)
		}
		punctual(t, due, got.wait(t, 2))
		past := send(t, q, "past", leanmq.Delay(time.Hour))
		if err := other.Reschedule(t.Context(), past, time.Unix(-1, 0)); err != nil {
			t.Fatal(err)
		}
		got.wait(t, 3)
		becomesEmpty(t, q)
	})
}

// A retry that waits can be found by the message's id as well.
func TestWaitingRetryIsScheduled(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		failed := make(chan string, 10)
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			failed <- m.ID
			return leanmq.RetryAfter(time.Hour, errors.New("not today"))
		})
		send(t, q, "own", leanmq.ID("mine"), leanmq.Delay(time.Millisecond))
		send(t, q, "made")
		for attempt := 1; attempt <= 2; attempt++ {
			for range 2 {
				id := receive(t, "a failure", failed)
				eventually(t, "it waits", func() bool { _, err := q.ScheduledMessage(t.Context(), id); return err == nil })
				m, err := q.ScheduledMessage(t.Context(), id)
				if err != nil || m.Message.Attempt != attempt+1 || m.Message.LastError != "not today" {
					t.Errorf("%+v, %v", m, err)
				}
			}
			for _, m := range scheduledNow(t, q) {
				if attempt == 1 {
					err := q.Reschedule(t.Context(), m.Message.ID, time.Now())
					if err != nil {
						t.Error(err)
					}
				} else if err := q.CancelScheduled(t.Context(), m.Message.ID); err != nil {
					t.Error(err)
				}
			}
		}
		becomesEmpty(t, q)
	})
}

func scheduledNow(t *testing.T, q *leanmq.Queue) []leanmq.Scheduled {
	t.Helper()
	all, err := q.Scheduled(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// An idle queue costs the server next to nothing, what its scripts call included.
func TestIdleQueueCostsLittle(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	mq, c := open(t, server.URL()), rawClient(t, server.URL())
	consume(t, mq.Queue("jobs"), new(record).done)
	calls := func() (n int) {
		stats, err := c.InfoMap(t.Context(), "commandstats").Result()
		if err != nil {
			t.Fatal(err)
		}
		for command, stat := range stats["Commandstats"] {
			if command == "cmdstat_info" {
				continue
			}
			var calls int
			if _, err := fmt.Sscanf(stat, "calls=%d,", &calls); err != nil {
				t.Fatal(command, stat, err)
			}
			n += calls
		}
		return n
	}
	time.Sleep(500 * time.Millisecond) // it has begun
	const span = 16 * time.Second
	before := calls()
	time.Sleep(span)
	if n := calls() - before; n > 2*int(span/time.Second) {
		stats, _ := c.Info(t.Context(), "commandstats").Result()
		t.Errorf("%d commands in %v, want 2 a second at most\n%s", n, span, stats)
	}
}

// However many processes consume a queue, about one of them looks for what is due.
func TestSchedulersDoNotAllLookAtOnce(t *testing.T) {
	server := redistest.Server(t)
	const processes, messages = 10, 100
	var got record
	for range processes {
		consume(t, open(t, server.URL()).Queue("jobs"), got.done)
	}
	q, raw := open(t, server.URL()).Queue("jobs"), rawClient(t, server.URL())
	for i := range messages {
		send(t, q, "x", leanmq.Delay(time.Second+time.Duration(i)*10*time.Millisecond))
	}
	if err := raw.ConfigResetStat(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	got.wait(t, messages)
	stats, err := raw.InfoMap(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	var looks int
	if _, err := fmt.Sscanf(stats["Commandstats"]["cmdstat_evalsha"], "calls=%d,", &looks); err != nil {
		t.Fatal(err)
	}
	// All at once would be 1,000 looks, and 100 scripts that settle. Those that come too
	// late need some tries to notice.
	if looks > 700 {
		t.Errorf("%d scripts for %d messages", looks, messages)
	}
}
