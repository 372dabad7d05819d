package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/leanmq"
)

// puller takes what is there at moments that the test chooses: a consumer that
// runs would look every few ms, for days of the bubble's clock.
func pullNow(t *testing.T, p *leanmq.Puller) (ids []string) {
	t.Helper()
	ended, cancel := context.WithCancelCause(context.Background())
	cancel(errNoWait)
	for {
		got, err := p.Receive(ended, 1000)
		if errors.Is(err, errNoWait) {
			return ids
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range got {
			ids = append(ids, m.ID)
			if err := m.Done(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

var errNoWait = errors.New("do not wait")

func jobPuller(t *testing.T, q *leanmq.Queue) *leanmq.Puller {
	t.Helper()
	p, err := q.Puller()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// sleepUntil is on the bubble's clock, which begins with the year 2000.
func sleepUntil(t *testing.T, at string) {
	t.Helper()
	when, err := time.Parse(time.RFC3339, at)
	if err != nil || !when.After(time.Now()) {
		t.Fatal(at, err)
	}
	time.Sleep(time.Until(when))
}

func TestDailyJobWhereClocksChange(t *testing.T) {
	inBubble(t, func(t *testing.T, open func() *leanmq.Client) {
		mq, other := open(), open()
		defer func() { _, _ = mq.Close(), other.Close() }()
		q := mq.Queue("q")
		pullers := []*leanmq.Puller{jobPuller(t, q), jobPuller(t, other.Queue("q"))}
		for _, tt := range []struct{ from, want string }{
			{"2000-03-24T12:00:00Z", "[noon@2000-03-25T11:00:00Z noon@2000-03-26T10:00:00Z noon@2000-03-27T10:00:00Z " +
				"night@2000-03-25T01:30:00Z night@2000-03-27T00:30:00Z]"}, // there is no 2:30 on the 26th
			{"2000-10-27T12:00:00Z", "[noon@2000-10-28T10:00:00Z noon@2000-10-29T11:00:00Z noon@2000-10-30T11:00:00Z " +
				"night@2000-10-28T00:30:00Z night@2000-10-29T00:30:00Z night@2000-10-29T01:30:00Z night@2000-10-30T01:30:00Z]"},
		} {
			sleepUntil(t, tt.from)
			setPeriodic(t, q, leanmq.Periodic{Name: "noon", Cron: "0 12 * * *", Zone: "Europe/Berlin"})
			setPeriodic(t, q, leanmq.Periodic{Name: "night", Cron: "30 2 * * *", Zone: "Europe/Berlin"})
			var noon, night []string
			for i := range 3 * 48 {
				time.Sleep(30 * time.Minute)
				for _, id := range pullNow(t, pullers[i%2]) {
					if id[:4] == "noon" {
						noon = append(noon, id)
					} else {
						night = append(night, id)
					}
				}
			}
			if got := fmt.Sprint(append(noon, night...)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			for _, name := range []string{"noon", "night"} {
				if err := q.RemovePeriodic(t.Context(), name); err != nil {
					t.Fatal(err)
				}
			}
		}
		_, _ = pullers[0].Close(), pullers[1].Close()
	})
}

func TestMissedTicks(t *testing.T) {
	inBubble(t, func(t *testing.T, open func() *leanmq.Client) {
		mq := open()
		defer func() { _ = mq.Close() }()
		const day = 24 * time.Hour
		for _, tt := range []struct {
			job   leanmq.Periodic
			down  time.Duration
			want  int    // messages
			first string // if there is one
			skip  int64
		}{
			// On time: 30 s late at most.
			{leanmq.Periodic{Every: time.Minute}, 30 * time.Second, 0, "", 0},
			{leanmq.Periodic{Every: time.Minute}, 90 * time.Second, 1, "00:01:00", 0},
			{leanmq.Periodic{Every: time.Minute, Missed: leanmq.MissedSkip}, 90 * time.Second, 1, "00:01:00", 0},
			{leanmq.Periodic{Every: time.Minute, Missed: leanmq.MissedRunAll}, 90 * time.Second, 1, "00:01:00", 0},
			// Late.
			{leanmq.Periodic{Every: time.Minute}, 10*time.Minute + 30*time.Second, 1, "00:10:00", 9},
			{leanmq.Periodic{Cron: "* * * * *"}, 10*time.Minute + 30*time.Second, 1, "00:10:00", 9},
			{leanmq.Periodic{Every: time.Hour, Missed: leanmq.MissedSkip}, 150 * time.Minute, 0, "", 2},
			{leanmq.Periodic{Cron: "@hourly", Missed: leanmq.MissedSkip}, 150 * time.Minute, 0, "", 2},
			{leanmq.Periodic{Every: time.Second, Missed: leanmq.MissedSkip}, 10 * time.Minute, 61, "00:09:00", 539},
			{leanmq.Periodic{Every: time.Hour, Missed: leanmq.MissedRunAll}, 5*time.Hour + time.Second, 5, "01:00:00", 0},
			{leanmq.Periodic{Every: time.Minute, Missed: leanmq.MissedRunAll}, day + time.Second, 1000, "00:01:00", 440},
			{leanmq.Periodic{Cron: "* * * * *", Missed: leanmq.MissedRunAll}, day + time.Second, 1000, "00:01:00", 440},
			{leanmq.Periodic{Every: time.Second}, 400 * day, 1, "00:00:00", 400*86400 - 1},
		} {
			sleepUntil(t, time.Now().Add(day).UTC().Truncate(day).Format(time.RFC3339))
			q := mq.Queue("q")
			tt.job.Name = "job"
			setPeriodic(t, q, tt.job)
			time.Sleep(tt.down)
			p := jobPuller(t, q)
			ids := pullNow(t, p)
			job := periodics(t, q)[0]
			if len(ids) != tt.want || job.Skipped != tt.skip || !job.Next.After(time.Now()) {
				t.Errorf("%+v after %v: %d messages, %d skipped, next %v; want %d and %d",
					tt.job, tt.down, len(ids), job.Skipped, job.Next, tt.want, tt.skip)
			}
			if len(ids) > 0 && ids[0][len("job@2000-01-01T"):len(ids[0])-1] != tt.first {
				t.Errorf("%+v after %v: the first is %s, want %s", tt.job, tt.down, ids[0], tt.first)
			}
			if (len(ids) == 0) != job.Last.IsZero() {
				t.Errorf("the last one was at %v", job.Last)
			}
			_ = p.Close()
			if err := q.Delete(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// What is changed at run time is what the processes that run do from then on.
func TestJobsChangeWhileTheyRun(t *testing.T) {
	inBubble(t, func(t *testing.T, open func() *leanmq.Client) {
		admin := open()
		defer func() { _ = admin.Close() }()
		var mu sync.Mutex
		seen := map[string]int{}
		count := func() int {
			mu.Lock()
			defer mu.Unlock()
			n := 0
			for id, times := range seen {
				if times != 1 {
					t.Errorf("%s came %d times", id, times)
				}
				n++
			}
			clear(seen)
			return n
		}
		for range 2 {
			mq := open()
			defer func() { _ = mq.Close() }()
			stop := consumeIn(t, mq.Queue("q"), func(_ context.Context, m *leanmq.Message) error {
				mu.Lock()
				defer mu.Unlock()
				seen[m.ID]++
				tick, err := time.Parse(time.RFC3339, m.Header.Get(":tick"))
				if late := time.Since(tick); err != nil || late < 0 || late > 100*time.Millisecond {
					t.Errorf("%s came %v late: %v", m.ID, late, err)
				}
				return nil
			})
			defer stop()
		}
		q := admin.Queue("q")
		step := func(what string, change error, want int) {
			t.Helper()
			if change != nil {
				t.Fatal(change)
			}
			time.Sleep(10 * time.Second)
			if n := count(); n != want {
				t.Errorf("%s: %d ticks in 10 s, want %d", what, n, want)
			}
		}
		time.Sleep(500 * time.Millisecond) // between two ticks
		job := leanmq.Periodic{Name: "job", Every: time.Second}
		step("set", q.SetPeriodic(t.Context(), job), 10)
		step("set again", q.SetPeriodic(t.Context(), job), 10)
		step("paused", q.PausePeriodic(t.Context(), "job"), 0)
		step("set again while paused", q.SetPeriodic(t.Context(), job), 0)
		step("resumed", q.ResumePeriodic(t.Context(), "job"), 10)
		step("every 5 s", q.SetPeriodic(t.Context(), leanmq.Periodic{Name: "job", Every: 5 * time.Second}), 2)
		step("a day", q.SetPeriodic(t.Context(), leanmq.Periodic{Name: "job", Cron: "@daily"}), 0)
		step("every second again", q.SetPeriodic(t.Context(), job), 10)
		step("removed", q.RemovePeriodic(t.Context(), "job"), 0)
		if jobs := periodics(t, q); len(jobs) != 0 {
			t.Errorf("%+v", jobs)
		}
	})
}
