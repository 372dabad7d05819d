package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Periodic is the definition of a periodic job.
type Periodic struct {
	Name    string
	Cron    string        // an expression, or ""
	Every   time.Duration // or else a time between two ticks
	Zone    string        // that Cron is meant in
	Missed  string        // what becomes of missed ticks
	Message Envelope      // what each tick sends
	Stored  *Envelope     // the message as it is stored, if not as it is: sealed anew each time
}

// PeriodicState is a periodic job as it is now.
type PeriodicState struct {
	Periodic
	Revision string    // of the definition: equal ones have the same
	Next     time.Time // the tick that stands in the queue; zero while it is paused
	Last     time.Time // the last tick that was enqueued; zero: none
	Skipped  int64     // missed ticks that were not enqueued
	Paused   bool
}

// Tick is a periodic job whose time has come. It stands in the queue until Tick
// puts the next one in its place.
type Tick struct {
	Queue    *Queue
	Periodic // without its message
	Revision string
	Due      time.Time // the tick that stands in the queue
	Now      time.Time // the server's
}

// TickRun is what becomes of a tick, and of those that were missed behind it.
type TickRun struct {
	Tick
	Run     []time.Time // to enqueue, oldest first; at most MaxTickRun
	Skipped int64       // not to enqueue
	Next    time.Time
}

const (
	// MaxPeriodic is how many periodic jobs a queue may have.
	MaxPeriodic = 1000
	// MaxTickRun is how many ticks of one job are enqueued at once.
	MaxTickRun = 1000
	// never is the score of a paused job's tick (lib.lua).
	never = 1<<53 - 1
)

// ErrTooMany is the refusal of one more periodic job.
var ErrTooMany = errors.New("too many periodic jobs")

// definition is p as set_periodic.lua takes it.
func (p *Periodic) definition() (args []any) {
	fields := []string{
		"c", p.Cron, "e", strconv.FormatInt(p.Every.Milliseconds(), 10), "z", p.Zone, "m", p.Missed,
		"b", packFields(p.Message.appendFields(nil)),
	}
	sum := sha256.Sum256([]byte(Pack(fields...)))
	if p.Stored != nil {
		fields[len(fields)-1] = packFields(p.Stored.appendFields(nil))
	}
	args = append(args, "r", hex.EncodeToString(sum[:16]))
	for _, f := range fields {
		args = append(args, f)
	}
	return args
}

// SetPeriodic creates or changes a periodic job whose first tick is next. It
// reports false when the job is the same already. Safe to repeat.
func (q *Queue) SetPeriodic(ctx context.Context, p *Periodic, next time.Time) (changed bool, err error) {
	args := []any{q.Notices(), q.Name, p.Name, dueMs(next), MaxPeriodic}
	set := setPeriodicScript.cmd(ctx, []string{q.Delayed, q.QueueKeys.Periodic}, append(args, p.definition()...)...)
	list := redis.NewIntCmd(ctx, "SADD", q.s.keys.Queues(), q.Name)
	if err := q.s.pipe.doAll(ctx, []redis.Cmder{set, list}); err != nil {
		return false, classify(err)
	}
	n, err := set.Int64()
	switch {
	case err != nil:
		return false, classify(err)
	case n < 0:
		return false, ErrTooMany
	}
	return n == 1, classify(list.Err())
}

// Periodics returns the periodic jobs with these names, or all, in no order, and
// the server's time.
func (q *Queue) Periodics(ctx context.Context, names ...string) ([]PeriodicState, time.Time, error) {
	args := make([]any, len(names))
	for i, n := range names {
		args[i] = n
	}
	reply, err := q.s.list(ctx, periodicsScript, []string{q.Delayed, q.QueueKeys.Periodic}, args...)
	if err != nil {
		return nil, time.Time{}, err
	}
	var out []PeriodicState
	for item := range slices.Chunk(reply[1:], 3) {
		if len(item) != 3 {
			return nil, time.Time{}, fmt.Errorf("%w: periodics returned %v", errProtocol, item)
		}
		name, _ := item[0].(string)
		record, _ := item[1].(string)
		p, err := newPeriodicState(name, record)
		if err != nil {
			return nil, time.Time{}, err
		}
		if due := integer(item[2]); due > 0 && due < never {
			p.Next = time.UnixMilli(due)
		}
		out = append(out, p)
	}
	return out, time.UnixMilli(integer(reply[0])), nil
}

func newPeriodicState(name, record string) (PeriodicState, error) {
	p := PeriodicState{Periodic: Periodic{Name: name}}
	fields, err := UnpackFields(record)
	if err != nil {
		return p, err
	}
	for i := 0; i+1 < len(fields); i += 2 {
		v := string(fields[i+1])
		switch string(fields[i]) {
		case "r":
			p.Revision = v
		case "c":
			p.Cron = v
		case "e":
			p.Every = time.Duration(integer(v)) * time.Millisecond
		case "z":
			p.Zone = v
		case "m":
			p.Missed = v
		case "b":
			body, err := UnpackFields(v)
			if err != nil {
				return p, err
			}
			if p.Message, err = DecodeEnvelope(body); err != nil {
				return p, err
			}
		case "l":
			p.Last = time.UnixMilli(integer(v))
		case "s":
			p.Skipped = integer(v)
		case "p":
			p.Paused = true
		}
	}
	return p, nil
}

// PausePeriodic pauses a periodic job and reports whether there is one. Safe to
// repeat.
func (q *Queue) PausePeriodic(ctx context.Context, name string) (bool, error) {
	v, err := q.s.eval(ctx, pausePeriodicScript, []string{q.Delayed, q.QueueKeys.Periodic},
		q.Notices(), q.Name, name, "", "")
	return integer(v) == 1, err
}

// ResumePeriodic ends the pause of a periodic job, whose next tick is then next;
// one that is not paused is left as it is. It reports false when the job is gone
// or has another revision. Safe to repeat.
func (q *Queue) ResumePeriodic(ctx context.Context, name, revision string, next time.Time) (bool, error) {
	v, err := q.s.eval(ctx, pausePeriodicScript, []string{q.Delayed, q.QueueKeys.Periodic},
		q.Notices(), q.Name, name, revision, dueMs(next))
	return integer(v) == 1, err
}

// RemovePeriodic removes a periodic job and reports whether there was one.
func (q *Queue) RemovePeriodic(ctx context.Context, name string) (bool, error) {
	v, err := q.s.eval(ctx, removePeriodicScript, []string{q.Delayed, q.QueueKeys.Periodic}, name)
	return integer(v) == 1, err
}

// newTick reads what promote.lua returns of a tick that is due.
func newTick(q *Queue, now int64, v any) (Tick, error) {
	item, _ := v.([]any)
	if len(item) != 7 {
		return Tick{}, fmt.Errorf("%w: promote returned %v", errProtocol, v)
	}
	text := func(i int) string { s, _ := item[i].(string); return s }
	return Tick{
		Queue: q, Due: time.UnixMilli(integer(item[1])), Now: time.UnixMilli(now), Revision: text(2),
		Periodic: Periodic{
			Name: text(0), Cron: text(3), Every: time.Duration(integer(item[4])) * time.Millisecond,
			Zone: text(5), Missed: text(6),
		},
	}, nil
}

// RunTicks enqueues ticks and puts the next ones in their places, each unless
// another process has. It returns for each the time until the one that stands in
// the queue now, negative when there is none. Repeating it is safe, and is left to
// the next Promote.
func (s *Store) RunTicks(ctx context.Context, runs []TickRun) ([]time.Duration, error) {
	cmds := make([]redis.Cmder, len(runs))
	for i, r := range runs {
		last := ""
		if n := len(r.Run); n > 0 {
			last = strconv.FormatInt(r.Run[n-1].UnixMilli(), 10)
		}
		args := []any{r.Name, r.Revision, r.Due.UnixMilli(), r.Next.UnixMilli(), r.Skipped, last}
		for _, t := range r.Run {
			args = append(args, t.UTC().Format(time.RFC3339Nano))
		}
		cmds[i] = tickScript.cmd(ctx, []string{r.Queue.Stream, r.Queue.Delayed, r.Queue.QueueKeys.Periodic}, args...)
	}
	if err := s.pipe.doAll(ctx, cmds); err != nil {
		return nil, classify(err)
	}
	next := make([]time.Duration, len(runs))
	for i, cmd := range cmds {
		reply, err := cmd.(*redis.Cmd).Slice()
		if err != nil {
			return nil, classify(err)
		}
		if len(reply) != 2 {
			return nil, fmt.Errorf("%w: tick returned %v", errProtocol, reply)
		}
		next[i] = waitOf(integer(reply[1]))
	}
	return next, nil
}
