package leanmq

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/leanmq/leanmq/internal/store"
)

// Periodic is a job that sends a message at regular times: at each of its ticks.
// It is kept in Redis, and every process that consumes the queue runs it: each
// tick is enqueued exactly once, however many they are and whichever of them die,
// and never early by the server's clock.
//
// A tick's message has the ID "<name>@<time of the tick>" and the headers
// ":periodic", the job's name, and ":tick", the tick's time in RFC 3339 and UTC.
// From then on it is a message like any other. A tick does not wait for the
// message of the one before: a job that takes longer than its period runs twice at
// the same time, if there are workers.
type Periodic struct {
	// Name tells the job from the others of its queue: 1 to 128 printable bytes.
	Name string

	// Cron says when: "30 2 * * 1-5" is half past two from Monday to Friday. Its
	// fields are minute, hour, day of month, month and day of week (0 is Sunday),
	// each with lists, ranges, steps and English names: "*/15 9-17 * jan,jul mon".
	// When both days are restricted, either of them will do. @hourly, @daily,
	// @weekly, @monthly and @yearly are short for the obvious.
	//
	// Where clocks change, a time that is skipped has no tick, and a time that
	// comes twice has two: in Europe/Berlin "30 2 * * *" does not tick on the day
	// on which summer begins, and ticks twice when it ends. Hours that clocks do not
	// change in, or UTC, avoid it.
	Cron string
	// Every says it by a period: 1 s to 8760 h, in whole ms. The ticks are the
	// multiples of it since 1970 in UTC: with 1 h they are on the hour, whenever
	// the job was made. It and Cron exclude each other.
	Every time.Duration
	// Zone is the IANA name of the zone that Cron is meant in, such as
	// "Europe/Berlin". Default UTC. Consumers need to know it too: where a machine
	// has no zone data, import time/tzdata.
	Zone string

	// Payload, Header, Target and TTL are those of the messages. The payload has
	// at most 64 KiB.
	Payload []byte
	Header  Header
	Target  string
	TTL     time.Duration // 0: they do not expire

	// Missed says what becomes of ticks that nobody was there to run.
	Missed MissedPolicy
}

// MissedPolicy says what becomes of ticks whose time came while no process
// consumed the queue.
type MissedPolicy string

const (
	// MissedRunOnce runs the latest missed tick and skips those before it. The
	// default.
	MissedRunOnce MissedPolicy = "once"
	// MissedSkip skips ticks that are more than a minute late.
	MissedSkip MissedPolicy = "skip"
	// MissedRunAll runs all missed ticks, oldest first, up to 1,000; it skips the
	// rest.
	MissedRunAll MissedPolicy = "all"
)

// missedGrace is how late a tick may be that MissedSkip still runs.
const missedGrace = time.Minute

// PeriodicInfo is a periodic job as it is now. Times are the server's.
type PeriodicInfo struct {
	Periodic
	Next    time.Time // of the next tick; zero while it is paused
	Last    time.Time // of the last tick that was enqueued; zero: none yet
	Skipped int64     // ticks that were missed and not enqueued
	Paused  bool
}

// maxPeriodicPayload keeps a queue's definitions small: they are read together,
// and MissedRunAll enqueues a thousand copies at once.
const maxPeriodicPayload = 64 << 10

// SetPeriodic creates the job, or changes the one with its name. It is made to be
// called by every process at its start: setting what is set already changes
// nothing, and it is safe to repeat.
//
// A change keeps a pause and the count of skipped ticks. As long as Cron, Every and
// Zone are the same it also keeps the next tick; with other ones that is the first
// after now, by the server's clock, and what was missed until then is forgotten. A
// queue has at most 1,000 jobs.
func (q *Queue) SetPeriodic(ctx context.Context, p Periodic) error {
	def, times, err := q.definition(&p)
	if err != nil {
		return q.wrapPeriodic("set", p.Name, err)
	}
	now, err := q.c.s.Now(ctx)
	if err != nil {
		return q.wrapPeriodic("set", p.Name, err)
	}
	next := times.next(now)
	if next.IsZero() {
		return q.wrapPeriodic("set", p.Name, invalid("Cron", "is %q: that time never comes", p.Cron))
	}
	_, err = q.sq.SetPeriodic(ctx, def, next)
	if errors.Is(err, store.ErrTooMany) {
		err = invalid("Name", "%q would be one more than the %d periodic jobs that a queue may have", p.Name, store.MaxPeriodic)
	}
	return q.wrapPeriodic("set", p.Name, err)
}

// definition checks p and makes what Redis keeps of it.
func (q *Queue) definition(p *Periodic) (*store.Periodic, times, error) {
	if q.err != nil {
		return nil, nil, q.err
	}
	if err := checkPeriodicName(p.Name); err != nil {
		return nil, nil, err
	}
	times, err := newTimes(p.Cron, p.Every, p.Zone)
	if err != nil {
		return nil, nil, err
	}
	if p.Missed == "" {
		p.Missed = MissedRunOnce
	}
	if !slices.Contains([]MissedPolicy{MissedRunOnce, MissedSkip, MissedRunAll}, p.Missed) {
		return nil, nil, invalid("Missed", "is %q: want MissedRunOnce, MissedSkip or MissedRunAll", p.Missed)
	}
	if len(p.Payload) > maxPeriodicPayload {
		return nil, nil, invalid("Payload", "has %d bytes: at most %d are allowed", len(p.Payload), maxPeriodicPayload)
	}
	opts := []SendOption{Headers(p.Header), Target(p.Target)}
	if p.TTL != 0 {
		opts = append(opts, TTL(p.TTL))
	}
	c, err := newSendConfig(opts)
	if err != nil {
		return nil, nil, err
	}
	e := c.envelope(p.Payload)
	e.Header = nil
	for _, name := range slices.Sorted(maps.Keys(p.Header)) { // the same ones read the same
		e.Header = append(e.Header, name, p.Header[name])
	}
	e.Header = append(e.Header, periodicHeader, p.Name)
	def := &store.Periodic{
		Name: p.Name, Cron: p.Cron, Every: p.Every, Zone: p.Zone, Missed: string(p.Missed), Message: e,
	}
	if q.c.sealer != nil {
		sealed := e
		sealed.Header = slices.Clone(e.Header)
		q.c.sealEnvelope(&sealed)
		def.Stored = &sealed
	}
	return def, times, nil
}

// periodicHeader is the header that names the job which a message comes from.
const periodicHeader = ":periodic"

func checkPeriodicName(name string) error {
	bad := func(r rune) bool { return !unicode.IsPrint(r) }
	if name == "" || len(name) > 128 || !utf8.ValidString(name) || strings.ContainsFunc(name, bad) {
		return invalid("Name", "%.40q has %d bytes: want 1 to 128 printable ones", name, len(name))
	}
	return nil
}

func (q *Queue) wrapPeriodic(op, name string, err error) error {
	return q.wrap(op+" periodic job "+name, "", err)
}

// Periodics returns the queue's periodic jobs, sorted by name.
func (q *Queue) Periodics(ctx context.Context) ([]PeriodicInfo, error) {
	if q.err != nil {
		return nil, q.wrap("list periodic jobs", "", q.err)
	}
	states, _, err := q.sq.Periodics(ctx)
	out := make([]PeriodicInfo, len(states))
	for i := range states {
		out[i] = q.newPeriodicInfo(&states[i])
	}
	slices.SortFunc(out, func(a, b PeriodicInfo) int { return strings.Compare(a.Name, b.Name) })
	return out, q.wrap("list periodic jobs", "", err)
}

func (q *Queue) newPeriodicInfo(s *store.PeriodicState) PeriodicInfo {
	m := &s.Message
	i := PeriodicInfo{
		Periodic: Periodic{
			Name: s.Name, Cron: s.Cron, Every: s.Every, Zone: s.Zone, Missed: MissedPolicy(s.Missed),
			Payload: m.Payload, Target: m.Target, TTL: time.Duration(m.TTL) * time.Millisecond,
		},
		Next: s.Next, Last: s.Last, Skipped: s.Skipped, Paused: s.Paused,
	}
	for h := range slices.Chunk(m.Header, 2) {
		if h[0] == periodicHeader {
			continue
		}
		if i.Header == nil {
			i.Header = Header{}
		}
		i.Header[h[0]] = h[1]
	}
	if payload, err := q.c.unseal(i.Payload, i.Header); err == nil {
		i.Payload = payload // else it is shown as it is stored
	}
	return i
}

// PausePeriodic stops a job's ticks until [Queue.ResumePeriodic]: while it is
// paused there are none, so none is missed either. A paused job stays paused.
// [ErrNotFound]: there is no such job.
func (q *Queue) PausePeriodic(ctx context.Context, name string) error {
	if q.err != nil {
		return q.wrapPeriodic("pause", name, q.err)
	}
	found, err := q.sq.PausePeriodic(ctx, name)
	if err == nil && !found {
		err = ErrNotFound
	}
	return q.wrapPeriodic("pause", name, err)
}

// ResumePeriodic ends a job's pause. Its next tick is the first after now, by the
// server's clock. A job that is not paused is left as it is. [ErrNotFound]: there
// is no such job.
func (q *Queue) ResumePeriodic(ctx context.Context, name string) error {
	if q.err != nil {
		return q.wrapPeriodic("resume", name, q.err)
	}
	for {
		states, now, err := q.sq.Periodics(ctx, name)
		if err == nil && len(states) == 0 {
			err = ErrNotFound
		}
		if err != nil {
			return q.wrapPeriodic("resume", name, err)
		}
		s := &states[0]
		times, err := newTimes(s.Cron, s.Every, s.Zone)
		if err != nil {
			return q.wrapPeriodic("resume", name, err)
		}
		done, err := q.sq.ResumePeriodic(ctx, name, s.Revision, times.next(now))
		if done || err != nil {
			return q.wrapPeriodic("resume", name, err)
		}
		// It was changed in between: look again.
	}
}

// RemovePeriodic removes a job. Messages that it has sent stay. [ErrNotFound]:
// there is no such job.
func (q *Queue) RemovePeriodic(ctx context.Context, name string) error {
	if q.err != nil {
		return q.wrapPeriodic("remove", name, q.err)
	}
	found, err := q.sq.RemovePeriodic(ctx, name)
	if err == nil && !found {
		err = ErrNotFound
	}
	return q.wrapPeriodic("remove", name, err)
}
