package leanmq

import (
	"context"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

// promote moves what is due in the queues to their streams, and runs the ticks of
// their periodic jobs. It returns how each queue stands then.
func (c *Client) promote(ctx context.Context, queues []*store.Queue) ([]store.Promoted, error) {
	stand, ticks, err := c.s.PromoteDue(ctx, queues, promoteBatch)
	if len(ticks) == 0 {
		return stand, err
	}
	after := c.runTicks(ctx, ticks)
	for i, q := range queues {
		for j, t := range ticks {
			if t.Queue != q {
				continue
			}
			stand[i].Moved++
			if after[j] >= 0 && (stand[i].Next < 0 || after[j] < stand[i].Next) {
				stand[i].Next = after[j]
			}
		}
	}
	return stand, err
}

// runTicks runs ticks that are due and returns the time until those that come
// next. Ticks that could not be run stay where they are, until the next poll.
func (c *Client) runTicks(ctx context.Context, ticks []store.Tick) []time.Duration {
	after := make([]time.Duration, len(ticks))
	runs := make([]store.TickRun, 0, len(ticks))
	at := make([]int, 0, len(ticks))
	for i := range ticks {
		after[i] = schedulePoll
		run, err := plan(&ticks[i])
		if err != nil {
			c.cannotTick(&ticks[i], err)
			continue
		}
		runs, at = append(runs, run), append(at, i)
	}
	next, err := c.s.RunTicks(ctx, runs)
	if err != nil {
		return after // the fetcher reports outages
	}
	for i, d := range next {
		after[at[i]] = d
	}
	return after
}

// plan decides what becomes of a tick and of those that were missed behind it.
func plan(t *store.Tick) (store.TickRun, error) {
	run := store.TickRun{Tick: *t, Next: t.Due}
	times, err := newTimes(t.Cron, t.Every, t.Zone)
	if err != nil {
		return run, err
	}
	skip := func(until time.Time) (last time.Time) {
		var n int64
		n, last, run.Next = times.skip(run.Next, until)
		run.Skipped += n
		return last
	}
	enqueue := func(most int) {
		for !run.Next.After(t.Now) && len(run.Run) < most {
			run.Run = append(run.Run, run.Next)
			run.Next = times.next(run.Next)
		}
	}
	future := t.Now.Add(time.Millisecond)
	switch MissedPolicy(t.Missed) {
	case MissedRunAll:
		enqueue(store.MaxTickRun)
		skip(future)
	case MissedSkip:
		skip(t.Now.Add(-missedGrace))
		enqueue(store.MaxTickRun)
	default:
		if last := skip(future); run.Skipped > 0 {
			run.Run, run.Skipped = []time.Time{last}, run.Skipped-1
		}
	}
	return run, nil
}

// cannotTick says once that this process does not understand a job: its program is
// older, or it does not know the zone. Others may.
func (c *Client) cannotTick(t *store.Tick, err error) {
	if _, told := c.untickable.LoadOrStore(t.Queue.Name+"\x00"+t.Name+"\x00"+t.Revision, true); !told {
		c.log.Error().Err(err).Str("queue", t.Queue.Name).Str("periodic", t.Name).
			Msg("periodic job does not run here")
	}
}
