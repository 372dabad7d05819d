package store

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// maxScheduleBytes bounds one call of schedule_many.lua, which other clients wait for.
const maxScheduleBytes = 1 << 20

// onlyWait reports whether these messages only have to wait, and depend on
// nothing that send.lua looks at one by one.
func onlyWait(es []Envelope, t SendTerms) bool {
	if len(es) < 2 || t.Token == "" || t.Delay <= 0 && t.Due.IsZero() || t != (SendTerms{Delay: t.Delay, Due: t.Due, Limit: t.Limit, Token: t.Token}) {
		return false
	}
	for i := range es {
		e := &es[i]
		if e.ID != "" || e.Created != 0 || e.OrderKey != "" || e.UniqueKey != "" || e.Level != 0 {
			return false
		}
	}
	return true
}

// scheduleMany is SendIf for messages that only have to wait: a call for hundreds
// of them instead of one for each.
func (q *Queue) scheduleMany(ctx context.Context, es []Envelope, t SendTerms) []SendResult {
	delay, due := t.times()
	var cmds []redis.Cmder
	var counts []int
	keys := q.scope(q.Delayed, q.Bodies)
	for at := 0; at < len(es); {
		args := append(make([]any, 0, 5+2*min(len(es)-at, maxScriptItems)), q.Notices(), q.Name, delay, due, t.Limit)
		n := 0
		for bytes := 0; at+n < len(es) && n < maxScriptItems && bytes < maxScheduleBytes; n++ {
			body := packFields(es[at+n].appendFields(nil))
			args = append(args, tokenOf(t.Token, at+n), body)
			bytes += len(body)
		}
		cmd := scheduleManyScript.cmd(ctx, keys, args...)
		if at == 0 {
			scheduleManyScript.withSource(cmd)
		}
		cmds, counts = append(cmds, cmd), append(counts, n)
		at += n
	}
	batch := cmds
	if list := q.relist(ctx); list != nil {
		batch = append(batch, list)
	}
	out := make([]SendResult, len(es))
	err := q.s.pipe.doAll(ctx, batch)
	at := 0
	for c, n := range counts {
		room, waiting := 0, int64(0)
		cerr := err
		if cerr == nil {
			var reply []any
			reply, cerr = cmds[c].(*redis.Cmd).Slice()
			if cerr == nil && len(reply) == 2 {
				room, waiting = int(integer(reply[0])), integer(reply[1])
			}
		}
		for i := range n {
			switch {
			case cerr != nil:
				out[at].Err = classify(cerr)
			case i < room:
				out[at].ID = tokenOf(t.Token, at)
			default:
				out[at].Err = fmt.Errorf("%w: %d messages wait, the limit is %d", ErrFull, waiting, t.Limit)
			}
			at++
		}
	}
	return out
}

// tokenOf is the token of the message with this number: in their order, so that
// those due at the same time stay in it.
func tokenOf(token string, i int) string {
	if i == 0 {
		return token
	}
	return token + "." + strconv.Itoa(10_000_000 + i)[1:]
}
