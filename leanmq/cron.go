package leanmq

import (
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// times are the ticks of a periodic job: the same in every process.
type times interface {
	// next is the first tick after t, or zero when there is none.
	next(t time.Time) time.Time
	// skip passes over the ticks before until, beginning with tick. It returns how
	// many they are, the last of them, and the tick after that.
	skip(tick, until time.Time) (n int64, last, next time.Time)
}

// every ticks at the multiples of a period since the Unix epoch.
type every time.Duration

func (e every) next(t time.Time) time.Time {
	period := time.Duration(e).Milliseconds()
	return time.UnixMilli((t.UnixMilli()/period + 1) * period)
}

func (e every) skip(tick, until time.Time) (n int64, last, next time.Time) {
	period := time.Duration(e)
	if !tick.Before(until) {
		return 0, time.Time{}, tick
	}
	n = int64((until.Sub(tick)-1)/period) + 1
	next = tick.Add(time.Duration(n) * period)
	return n, next.Add(-period), next
}

// cronTimes ticks when the clocks of a zone show a certain time.
type cronTimes struct {
	spec *cron.SpecSchedule
	zone *time.Location
}

var cronParser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// cronYears is how far next looks: there are 8 years between two leap days around
// 2100.
const cronYears = 9

// newTimes parses when a job ticks.
func newTimes(expr string, period time.Duration, zone string) (times, error) {
	switch {
	case expr != "" && period != 0:
		return nil, invalid("Cron", "and Every exclude each other")
	case expr == "" && period == 0:
		return nil, invalid("Cron", "and Every are both missing: want one of them")
	case expr == "" && zone != "":
		return nil, invalid("Zone", "has no meaning with Every")
	case expr == "" && (period < time.Second || period > 8760*time.Hour || period%time.Millisecond != 0):
		return nil, invalid("Every", "is %v: want 1s to 8760h in whole milliseconds", period)
	case expr == "":
		return every(period), nil
	}
	if strings.HasPrefix(expr, "@every") {
		return nil, invalid("Cron", "is %q: use Every", expr)
	}
	if strings.Contains(expr, "TZ=") {
		return nil, invalid("Cron", "is %q: use Zone", expr)
	}
	// "Local" is a different zone on each machine.
	loc, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return nil, invalid("Zone", "%q is unknown: want an IANA name such as Europe/Berlin", zone)
	}
	schedule, err := cronParser.Parse(expr)
	spec, ok := schedule.(*cron.SpecSchedule)
	if err != nil || !ok {
		return nil, invalid("Cron", "is %q: %v", expr, err)
	}
	return &cronTimes{spec: spec, zone: loc}, nil
}

// next does what robfig/cron's own does, but looks at all fields again after each
// step: that one passes over a whole day, or ticks on a wrong one, where clocks
// change at midnight (Beirut, Havana, São Paulo).
func (c *cronTimes) next(after time.Time) time.Time {
	t := after.In(c.zone).Truncate(time.Minute).Add(time.Minute)
	for last := t.Year() + cronYears; t.Year() <= last; {
		switch {
		case !has(c.spec.Month, int(t.Month())) || !c.day(t):
			t = midnightAfter(t)
		case !has(c.spec.Hour, t.Hour()):
			t = t.Add(time.Duration(60-t.Minute()) * time.Minute)
		case !has(c.spec.Minute, t.Minute()):
			t = t.Add(time.Minute)
		default:
			return t.UTC()
		}
	}
	return time.Time{}
}

func (c *cronTimes) skip(tick, until time.Time) (n int64, last, next time.Time) {
	for ; tick.Before(until); tick = c.next(tick) {
		n, last = n+1, tick
	}
	return n, last, tick
}

// day reports whether the day is right: when both are restricted, the one of the
// month or that of the week.
func (c *cronTimes) day(t time.Time) bool {
	const star = 63 // the bit that says that a field is not restricted
	dom, dow := has(c.spec.Dom, t.Day()), has(c.spec.Dow, int(t.Weekday()))
	if has(c.spec.Dom, star) || has(c.spec.Dow, star) {
		return dom && dow
	}
	return dom || dow
}

func has(set uint64, bit int) bool { return set&(1<<uint(bit)) != 0 }

// midnightAfter is when the next day begins, which is not at 0:00 where clocks are
// put forward then.
func midnightAfter(t time.Time) time.Time {
	m := time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, t.Location())
	if m.Day() == t.Day() { // there is no 0:00, and m is an hour before
		m = m.Add(time.Hour)
	}
	return m
}
