package leanmq

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
)

func timesOf(t *testing.T, expr string, period time.Duration, zone string) times {
	t.Helper()
	ts, err := newTimes(expr, period, zone)
	if err != nil {
		t.Fatal(err)
	}
	return ts
}

// ticks are the n first ones after a time of the zone, as its clocks show them.
func ticks(t *testing.T, expr, zone, after string, n int) string {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", after, loc)
	if err != nil {
		t.Fatal(err)
	}
	ts := timesOf(t, expr, 0, zone)
	var out []string
	for range n {
		at = ts.next(at)
		out = append(out, at.In(loc).Format("02 15:04 MST"))
	}
	return fmt.Sprint(out)
}

func TestCronWhereClocksChange(t *testing.T) {
	for _, tt := range []struct{ name, expr, zone, after, want string }{
		{"a time that is skipped has no tick", "30 2 * * *", "Europe/Berlin", "2025-03-29 00:00", "[29 02:30 CET 31 02:30 CEST]"},
		{"a time that comes twice has two", "30 2 * * *", "Europe/Berlin", "2025-10-25 12:00", "[26 02:30 CEST 26 02:30 CET 27 02:30 CET]"},
		{"hours are hours in spring", "0 * * * *", "Europe/Berlin", "2025-03-30 00:30", "[30 01:00 CET 30 03:00 CEST 30 04:00 CEST]"},
		{"hours are hours in autumn", "0 * * * *", "Europe/Berlin", "2025-10-26 01:30", "[26 02:00 CEST 26 02:00 CET 26 03:00 CET]"},
		{"noon is noon", "0 12 * * *", "Europe/Berlin", "2025-03-29 00:00", "[29 12:00 CET 30 12:00 CEST 31 12:00 CEST]"},
		{"UTC does not change", "30 2 * * *", "", "2025-03-29 00:00", "[29 02:30 UTC 30 02:30 UTC 31 02:30 UTC]"},
		{"a day without a midnight is a day", "0 12 * * 0", "Asia/Beirut", "2023-03-19 13:00", "[26 12:00 EEST 02 12:00 EEST]"},
		{"and the day after it is another one", "0 5 3 11 *", "America/Sao_Paulo", "2018-11-03 06:00", "[03 05:00 -03 03 05:00 -03]"},
		{"half an hour", "*/30 * * * *", "Australia/Lord_Howe", "2025-10-05 01:00", "[05 01:30 +1030 05 02:30 +11 05 03:00 +11]"},
	} {
		if got := ticks(t, tt.expr, tt.zone, tt.after, 1+countSpaces(tt.want)/3); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// countSpaces tells how many ticks are expected: each takes three words.
func countSpaces(s string) (n int) {
	for _, r := range s {
		if r == ' ' {
			n++
		}
	}
	return n
}

func TestCronOfDays(t *testing.T) {
	for _, tt := range []struct{ expr, after, want string }{
		{"0 0 13 * fri", "2025-06-10 00:00", "[13 00:00 UTC 20 00:00 UTC 27 00:00 UTC]"}, // either of them
		{"0 0 29 2 *", "2096-03-01 00:00", "[29 00:00 UTC]"},                             // 2100 has none
		{"@monthly", "2025-06-10 00:00", "[01 00:00 UTC 01 00:00 UTC]"},
		{"59 23 31 12 *", "2025-12-31 23:59", "[31 23:59 UTC]"},
	} {
		if got := ticks(t, tt.expr, "", tt.after, 1+countSpaces(tt.want)/3); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.expr, got, tt.want)
		}
	}
}

// Where clocks do not change at midnight, it is what robfig/cron does.
func TestCronIsThatOfItsParser(t *testing.T) {
	fields := func(least, most int) string {
		a, b := least+rand.IntN(most-least+1), least+rand.IntN(most-least+1)
		switch rand.IntN(5) {
		case 0:
			return fmt.Sprint(a)
		case 1:
			return fmt.Sprintf("%d,%d", a, b)
		case 2:
			return fmt.Sprintf("%d-%d", min(a, b), max(a, b))
		case 3:
			return fmt.Sprintf("*/%d", 1+rand.IntN(7))
		}
		return "*"
	}
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			expr := fmt.Sprintf("%s %s %s %s %s", fields(0, 59), fields(0, 23), fields(1, 28), fields(1, 12), fields(0, 6))
			theirs, err := cron.ParseStandard(expr)
			if err != nil {
				t.Fatal(err)
			}
			ours := timesOf(t, expr, 0, zone)
			at := time.Unix(1.7e9+rand.Int64N(1e8), rand.Int64N(1e9))
			for range 20 {
				want, got := theirs.Next(at.In(loc)), ours.next(at)
				if !got.Equal(want) {
					t.Fatalf("%s in %s after %v: %v, want %v", expr, zone, at.In(loc), got.In(loc), want)
				}
				at = got
			}
		}
	}
}

func TestEveryIsTheSameForAll(t *testing.T) {
	at := time.Date(2025, 3, 30, 0, 59, 59, 1e6, time.UTC)
	for _, tt := range []struct {
		period time.Duration
		want   string
	}{
		{time.Second, "01:00:00"},
		{1500 * time.Millisecond, "01:00:00"},
		{7 * time.Second, "01:00:01"},
		{time.Hour, "01:00:00"},
		{6 * time.Hour, "06:00:00"},
	} {
		ts := timesOf(t, "", tt.period, "")
		if got := ts.next(at).UTC().Format(time.TimeOnly); got != tt.want {
			t.Errorf("every %v: %s, want %s", tt.period, got, tt.want)
		}
		if first := ts.next(at); first.UnixMilli()%tt.period.Milliseconds() != 0 || !ts.next(first).Equal(first.Add(tt.period)) {
			t.Errorf("every %v: %v and %v", tt.period, first, ts.next(first))
		}
	}
}

// Passing over ticks at once counts the same as one by one.
func TestSkippedTicksAreCounted(t *testing.T) {
	for _, ts := range []times{timesOf(t, "", 7*time.Second, ""), timesOf(t, "*/7 * * * *", 0, "Europe/Berlin")} {
		first := ts.next(time.Unix(1.7e9, 0))
		for _, d := range []time.Duration{-time.Hour, 0, time.Millisecond, time.Minute, 7 * time.Minute, 7*time.Minute + 1e6, 24 * time.Hour} {
			until := first.Add(d)
			n, last, next := ts.skip(first, until)
			count, wantLast, tick := int64(0), time.Time{}, first
			for ; tick.Before(until); tick = ts.next(tick) {
				count, wantLast = count+1, tick
			}
			if n != count || !last.Equal(wantLast) || !next.Equal(tick) {
				t.Errorf("%T until %v: %d, %v, %v; want %d, %v, %v", ts, d, n, last, next, count, wantLast, tick)
			}
		}
	}
}
