package store

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Retry puts a message aside until its next attempt.
type Retry struct {
	ID       string
	Epoch    string // see Done
	Delay    time.Duration
	Attempts int // failed so far
	Error    string
}

// Dead dead-letters a message.
type Dead struct {
	ID       string
	Epoch    string // see Done
	Reason   string
	Attempts int
	Error    string
}

// Done acknowledges messages. Epoch is one that the consumer had at a time when
// it owned all of them; as long as it still has it, it owns them still.
type Done struct {
	Epoch string
	IDs   []string
}

// Finished ends the life of a message that has more to it than its entry.
type Finished struct {
	ID        string // the entry's
	Epoch     string // see Done
	MessageID string
	OrderKey  string
	UniqueKey string
	Keep      time.Duration // of the result; 0 = none
	Result    string
	Counter   string // what it counts as, if it was not handled: CounterExpired, CounterCanceled
}

// Counters of a queue's meta hash.
const (
	CounterExpired  = "expired"
	CounterCanceled = "canceled"
)

// Settlement is what one worker has to say about messages of one queue.
type Settlement struct {
	Done     []Done
	Finished []Finished
	Retries  []Retry
	Dead     []Dead
	Replies  []Reply
}

// Settled is what came of a settlement.
type Settled struct {
	Epoch   string   // of the consumer now; "" when it has none
	Lost    []string // ids that it does not own any more: nothing was done
	Dropped int      // replies whose inbox is gone
}

// maxScriptItems keeps a script short enough not to hold up other clients.
const maxScriptItems = 500

// Settle sends the replies and then settles the messages, in one round trip.
// Repeating it after an unknown outcome is safe: what was settled the first
// time counts as lost the second time or, after an unchanged epoch, as done.
func (q *Queue) Settle(ctx context.Context, consumer string, st *Settlement) (Settled, error) {
	as := newAdditions(len(st.Replies))
	for i := range st.Replies {
		as.reply(&st.Replies[i])
	}
	as.cmds = q.settleCmds(ctx, as.cmds, consumer, st) // to be recycled, which lets go of them
	cmds := as.cmds
	var out Settled
	send := cmds
	if q.s.IsCluster() && len(st.Replies) > 0 {
		// They go to other nodes, and come first all the same.
		if err := q.s.pipe.doAll(ctx, cmds[:len(st.Replies)]); err != nil {
			return out, classify(err)
		}
		send = cmds[len(st.Replies):]
	}
	if err := q.s.pipe.doAll(ctx, send); err != nil {
		return out, classify(err)
	}
	var firstErr error
	for i, cmd := range cmds {
		if i < len(st.Replies) {
			if errors.Is(cmd.Err(), redis.Nil) {
				out.Dropped++
			}
			continue // a reply never fails the worker
		}
		v, err := cmd.(*redis.Cmd).Slice()
		if err != nil {
			if firstErr == nil {
				firstErr = classify(err)
			}
			continue
		}
		out.Epoch, out.Lost = epochAndLost(v, out.Lost)
	}
	as.recycle()
	return out, firstErr
}

// manyDone is from how many messages on done.lua rather trims the stream.
const manyDone = 8

// afterMany puts ids in order and returns the one after the last, if they are many.
func afterMany(ids []string) string {
	if len(ids) < manyDone {
		return ""
	}
	slices.SortFunc(ids, compareIDs)
	return idAfter(ids[len(ids)-1])
}

// settleCmds appends the calls that settle messages.
func (q *Queue) settleCmds(ctx context.Context, cmds []redis.Cmder, consumer string, st *Settlement) []redis.Cmder {
	for _, done := range st.Done {
		for ids := range slices.Chunk(done.IDs, maxScriptItems) {
			args := append(make([]any, 0, 4+len(ids)), q.group, consumer, done.Epoch, afterMany(ids))
			for _, id := range ids {
				args = append(args, id)
			}
			cmds = append(cmds, doneScript.cmd(ctx, []string{q.Stream, q.Workers}, args...))
		}
	}
	for fs := range slices.Chunk(st.Finished, maxScriptItems) {
		args := append(make([]any, 0, 2+8*len(fs)), q.group, consumer)
		for i := range fs {
			f := &fs[i]
			keep := ""
			if f.Keep > 0 {
				keep = strconv.FormatInt(ceilMs(f.Keep), 10)
			}
			args = append(args, f.ID, f.Epoch, f.MessageID, f.OrderKey, f.UniqueKey, keep, f.Result, f.Counter)
		}
		cmds = append(cmds, finishScript.cmd(ctx, append([]string{q.Stream, q.Workers}, q.scope()...), args...))
	}
	for rs := range slices.Chunk(st.Retries, maxScriptItems) {
		args := append(make([]any, 0, 4+5*len(rs)), q.group, consumer, q.Notices(), q.Name)
		for _, r := range rs {
			args = append(args, r.ID, ceilMs(r.Delay), r.Attempts, r.Error, r.Epoch)
		}
		cmds = append(cmds, retryScript.cmd(ctx, []string{q.Stream, q.Workers, q.Delayed, q.Bodies}, args...))
	}
	for ds := range slices.Chunk(st.Dead, maxScriptItems) {
		args := append(make([]any, 0, 2+5*len(ds)), q.group, consumer)
		for _, d := range ds {
			args = append(args, d.ID, d.Reason, d.Attempts, d.Error, d.Epoch)
		}
		cmds = append(cmds, deadScript.cmd(ctx, q.settleKeys(), args...))
	}
	return cmds
}

// settleKeys are the KEYS of scripts that may dead-letter.
func (q *Queue) settleKeys() []string {
	return append(append([]string{q.Stream, q.Workers}, q.scope()...), q.QueueKeys.Dead)
}

// epochAndLost reads what done, retry, dead and renew return.
func epochAndLost(reply []any, lost []string) (string, []string) {
	if len(reply) == 0 {
		return "", lost
	}
	epoch, _ := reply[0].(string)
	for _, v := range reply[1:] {
		if id, ok := v.(string); ok {
			lost = append(lost, id)
		}
	}
	return epoch, lost
}
