package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

func setPeriodic(t testing.TB, q *leanmq.Queue, p leanmq.Periodic) {
	t.Helper()
	if err := q.SetPeriodic(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

func periodics(t testing.TB, q *leanmq.Queue) []leanmq.PeriodicInfo {
	t.Helper()
	jobs, err := q.Periodics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return jobs
}

// Three processes run a job, one of them goes, and a fourth one dies whenever it sees
// a tick: none comes twice, none is missing.
func TestEveryTickIsRunOnceByManyProcesses(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var got record
		var consumers []*testkit.Running
		for range 3 {
			q := open(t, url).Queue("jobs")
			setPeriodic(t, q, leanmq.Periodic{
				Name: "beat", Every: time.Second, Missed: leanmq.MissedRunAll,
				Payload: []byte("x"), Header: leanmq.Header{"kk": "v"}, Target: "/t",
			})
			consumers = append(consumers, consume(t, q, got.done))
		}
		stop := dieAtTicks(t, open(t, url), "jobs")
		got.wait(t, 2)
		if err := consumers[0].Stop(); err != nil {
			t.Error(err)
		}
		all := got.wait(t, 5)
		var first time.Time
		for i, m := range all {
			tick, err := time.Parse(time.RFC3339, m.Header[":tick"])
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = tick
			}
			if want := first.Add(time.Duration(i) * time.Second); !tick.Equal(want) || m.ID != "beat@"+m.Header[":tick"] {
				t.Errorf("tick %d is %v with the id %s, want %v", i, tick, m.ID, want)
			}
			if late := m.At.Sub(tick); late < -time.Millisecond || late > 5*time.Second {
				t.Errorf("tick %d came %v late", i, late)
			}
			if m.Payload != "x" || m.Header["kk"] != "v" || m.Header[":periodic"] != "beat" || m.Target != "/t" || m.Attempt != 1 {
				t.Errorf("%+v", m)
			}
		}
		if stop() == 0 {
			t.Error("the fourth one has not seen a tick")
		}
		jobs := periodics(t, open(t, url).Queue("jobs"))
		if len(jobs) != 1 || jobs[0].Last.Before(first.Add(4*time.Second)) || !jobs[0].Next.After(jobs[0].Last) || jobs[0].Skipped != 0 {
			t.Errorf("%+v", jobs)
		}
	})
}

// dieAtTicks looks for ticks of a queue, and does nothing about them, until it is
// stopped. It counts them.
func dieAtTicks(t *testing.T, mq *leanmq.Client, queue string) (stop func() int) {
	t.Helper()
	q, err := mq.Store().Queue(queue)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	n := 0
	wg.Go(func() {
		for ctx.Err() == nil {
			_, ticks, err := mq.Store().PromoteDue(context.Background(), []*store.Queue{q}, 10)
			if err != nil {
				t.Error(err)
				return
			}
			n += len(ticks)
			time.Sleep(100 * time.Microsecond)
		}
	})
	return func() int {
		cancel()
		wg.Wait()
		return n
	}
}

func TestSettingAJobAgain(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q, other := open(t, url).Queue("jobs"), open(t, url).Queue("jobs")
		p := leanmq.Periodic{
			Name: "report", Cron: "0 3 * * *", Zone: "Europe/Berlin", Payload: []byte("a"), TTL: time.Hour,
			Header: leanmq.Header{"k1": "1", "k2": "2", "k3": "3"}, Target: "/t", Missed: leanmq.MissedSkip,
		}
		setPeriodic(t, q, p)
		setPeriodic(t, q, leanmq.Periodic{Name: "beat", Every: time.Hour})
		before := periodics(t, q)
		if len(before) != 2 || before[0].Name != "beat" || before[0].Missed != leanmq.MissedRunOnce || before[1].Next.IsZero() {
			t.Fatalf("%+v", before)
		}
		got := before[1].Periodic
		if fmt.Sprint(got) != fmt.Sprint(p) {
			t.Errorf("it reads %+v, was %+v", got, p)
		}
		if names, err := q.Info(t.Context()); err != nil || names.Scheduled != 0 {
			t.Errorf("%+v, %v", names, err)
		}
		for range 5 {
			setPeriodic(t, other, p)
		}
		if after := periodics(t, other); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("setting it again made %+v of %+v", after, before)
		}

		// Another payload: the times are the same.
		p.Payload = []byte("b")
		setPeriodic(t, other, p)
		if j := periodics(t, q)[1]; string(j.Payload) != "b" || !j.Next.Equal(before[1].Next) {
			t.Errorf("%+v", j)
		}
		// Other times, while it is paused: it stays so.
		if err := q.PausePeriodic(t.Context(), "report"); err != nil {
			t.Fatal(err)
		}
		p.Cron, p.Zone = "0 4 1 1 *", ""
		setPeriodic(t, other, p)
		if j := periodics(t, q)[1]; !j.Paused || !j.Next.IsZero() || j.Cron != "0 4 1 1 *" {
			t.Errorf("%+v", j)
		}
		for range 2 {
			if err := other.ResumePeriodic(t.Context(), "report"); err != nil {
				t.Fatal(err)
			}
		}
		if j := periodics(t, q)[1]; j.Paused || j.Next.UTC().Format("02.01. 15:04") != "01.01. 04:00" || time.Until(j.Next) < 0 {
			t.Errorf("%+v", j)
		}
		for range 2 {
			setPeriodic(t, q, leanmq.Periodic{Name: "beat", Every: 24 * time.Hour})
		}
		if j := periodics(t, q)[0]; j.Next.UnixMilli()%(24*time.Hour).Milliseconds() != 0 {
			t.Errorf("%+v", j)
		}

		if err := q.RemovePeriodic(t.Context(), "report"); err != nil {
			t.Error(err)
		}
		for name, call := range map[string]func() error{
			"pause":  func() error { return q.PausePeriodic(t.Context(), "report") },
			"resume": func() error { return q.ResumePeriodic(t.Context(), "report") },
			"remove": func() error { return q.RemovePeriodic(t.Context(), "report") },
		} {
			if err := call(); !errors.Is(err, leanmq.ErrNotFound) || !strings.Contains(err.Error(), "report") {
				t.Errorf("%s what is gone: %v", name, err)
			}
		}
		if jobs := periodics(t, other); len(jobs) != 1 {
			t.Errorf("%+v", jobs)
		}
		if err := q.Delete(t.Context()); err != nil {
			t.Errorf("a queue with nothing but a job: %v", err)
		}
		if jobs := periodics(t, other); len(jobs) != 0 {
			t.Errorf("%+v", jobs)
		}
	})
}

func TestJobsThatAreRefused(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		cron := func(expr string) leanmq.Periodic { return leanmq.Periodic{Name: "x", Cron: expr} }
		every := func(d time.Duration) leanmq.Periodic { return leanmq.Periodic{Name: "x", Every: d} }
		for _, tt := range []struct {
			p           leanmq.Periodic
			field, rule string
		}{
			{leanmq.Periodic{Every: time.Hour}, "Name", "1 to 128"},
			{leanmq.Periodic{Name: strings.Repeat("x", 129), Every: time.Hour}, "Name", "129"},
			{leanmq.Periodic{Name: "a\nb", Every: time.Hour}, "Name", "printable"},
			{leanmq.Periodic{Name: "x"}, "Cron", "Every"},
			{leanmq.Periodic{Name: "x", Cron: "@daily", Every: time.Hour}, "Cron", "Every"},
			{leanmq.Periodic{Name: "x", Zone: "UTC", Every: time.Hour}, "Zone", "Every"},
			{leanmq.Periodic{Name: "x", Zone: "Europe/Atlantis", Cron: "@daily"}, "Zone", "Atlantis"},
			{leanmq.Periodic{Name: "x", Zone: "Local", Cron: "@daily"}, "Zone", "Local"},
			{leanmq.Periodic{Name: "x", Zone: "../x", Cron: "@daily"}, "Zone", "unknown"},
			{leanmq.Periodic{Name: "x", Every: time.Hour, Missed: "never"}, "Missed", "never"},
			{leanmq.Periodic{Name: "x", Every: time.Hour, TTL: -1}, "TTL", "1ms"},
			{leanmq.Periodic{Name: "x", Every: time.Hour, Header: leanmq.Header{":x": ""}}, "header", "colon"},
			{leanmq.Periodic{Name: "x", Every: time.Hour, Target: strings.Repeat("x", 8193)}, "Target", "8192"},
			{leanmq.Periodic{Name: "x", Every: time.Hour, Payload: make([]byte, 64<<10+1)}, "Payload", "65536"},
			{every(999 * time.Millisecond), "Every", "1s"},
			{every(-time.Hour), "Every", "1s"},
			{every(8761 * time.Hour), "Every", "8760h"},
			{every(time.Second + 1), "Every", "whole"},
			{cron("@every 5m"), "Cron", "use Every"},
			{cron("TZ=UTC 0 0 * * *"), "Cron", "use Zone"},
			{cron("CRON_TZ="), "Cron", "use Zone"},
			{cron("* * * *"), "Cron", "5 fields"},
			{cron("0 * * * * *"), "Cron", "5 fields"},
			{cron("60 * * * *"), "Cron", "59"},
			{cron("* * * * 7"), "Cron", "6"},
			{cron("x"), "Cron", `"x"`},
			{cron("@reboot"), "Cron", "@reboot"},
			{cron("0 0 31 2 *"), "Cron", "never"},
			{cron(", * * * *"), "Cron", "never"},
		} {
			err := q.SetPeriodic(t.Context(), tt.p)
			isInvalid(t, err, tt.field)
			if err == nil || !strings.Contains(err.Error(), tt.rule) {
				t.Errorf("%v: want %q in it", err, tt.rule)
			}
		}
		if jobs := periodics(t, q); len(jobs) != 0 {
			t.Errorf("%+v", jobs)
		}
	})
}

func TestNumberOfJobsIsBounded(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		n := 1000
		for i := range n {
			setPeriodic(t, q, leanmq.Periodic{Name: strconv.Itoa(i), Every: time.Hour})
		}
		isInvalid(t, q.SetPeriodic(t.Context(), leanmq.Periodic{Name: "one more", Every: time.Hour}), "Name")
		setPeriodic(t, q, leanmq.Periodic{Name: "7", Every: 2 * time.Hour}) // one of them
		if jobs := periodics(t, q); len(jobs) != n {
			t.Errorf("%d jobs", len(jobs))
		}
	})
}
