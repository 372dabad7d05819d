package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Send adds a message and returns its id.
func (q *Queue) Send(ctx context.Context, e *Envelope) (string, error) {
	as := newAdditions(1)
	cmd := as.message(q.Stream, e)
	var err error
	if list := q.relist(ctx); list != nil {
		err = q.s.pipe.doAll(ctx, []redis.Cmder{list, cmd})
	} else {
		err = q.s.pipe.do(ctx, cmd)
	}
	if err != nil {
		return "", classify(err)
	}
	defer as.recycle()
	return sent(cmd, e.ID)
}

// sent reads the result of an XADD. A value counts even if the rest of its
// pipeline failed afterwards.
func sent(cmd *addition, name string) (string, error) {
	id, err := cmd.Result()
	if id == "" {
		return "", classify(err)
	}
	if name != "" {
		return name, nil
	}
	return id, nil
}

// SendMany adds messages in one round trip, in order. Each has its own result:
// where errs is not nil, errs[i] says why message i was not sent.
func (q *Queue) SendMany(ctx context.Context, es []Envelope) (ids []string, errs []error) {
	return q.sendMany(ctx, es, Wait{})
}

func (q *Queue) sendMany(ctx context.Context, es []Envelope, w Wait) (ids []string, errs []error) {
	as := newAdditions(len(es))
	for i := range es {
		as.message(q.Stream, &es[i])
	}
	ids = make([]string, len(es))
	fail := func(i int, err error) {
		if errs == nil {
			errs = make([]error, len(es))
		}
		errs[i] = err
	}
	missing, err := q.deliver(ctx, as.cmds, q.relist(ctx), w)
	if err != nil {
		for i := range es {
			fail(i, classify(err))
		}
		return ids, errs
	}
	for i := range es {
		id, err := sent(&as.list[i], es[i].ID)
		if err == nil {
			err = missing
		}
		if err != nil {
			fail(i, err)
		}
		ids[i] = id
	}
	as.recycle()
	return ids, errs
}

// SendTerms are what a send may depend on. The zero value of each means: not.
type SendTerms struct {
	Delay  time.Duration // deliver no earlier than this after the server's now
	Due    time.Time     // or no earlier than this
	Limit  int           // refuse when so many messages wait
	Window time.Duration // refuse a second message with the same id for so long
	Scope  string        // what the id is unique within, if not the queue
	Unique time.Duration // refuse a second message with the same UniqueFor for so long
	For    string        // a unique key that holds for a time
	// Once is a name, unique in the queue, that this one send is known by for
	// OnceFor: repeated in that time it is a duplicate, whatever its id.
	Once    string
	OnceFor time.Duration
	// Token is unique: the id of a message that needs one, and what names a delayed
	// one whose id is taken.
	Token string
	Wait  Wait // for replicas
	// Scripted is set where the message itself needs more than an XADD.
	Scripted bool
}

// ErrFull is the refusal of a queue that has reached its limit.
var ErrFull = errors.New("queue is full")

// SendResult is what came of one message.
type SendResult struct {
	ID  string
	Dup bool // a message with this id was sent before: ID is that one's
	Err error
}

// SendIf sends messages on terms, in order and in one round trip. terms.Token
// is that of the first message; the others get theirs from it.
func (q *Queue) SendIf(ctx context.Context, es []Envelope, terms SendTerms) []SendResult {
	if onlyWait(es, terms) {
		return q.scheduleMany(ctx, es, terms)
	}
	out := make([]SendResult, len(es))
	if terms == (SendTerms{Wait: terms.Wait}) {
		ids, errs := q.sendMany(ctx, es, terms.Wait)
		for i := range out {
			if out[i].ID = ids[i]; errs != nil {
				out[i].Err = errs[i]
			}
		}
		return out
	}
	cmds := make([]redis.Cmder, 0, len(es)+1)
	for i := range es {
		cmds = append(cmds, q.sendIf(ctx, &es[i], terms, i))
	}
	if len(es) > 1 {
		bringScripts(cmds)
	}
	missing, err := q.deliver(ctx, cmds, q.relist(ctx), terms.Wait)
	if err != nil {
		for i := range out {
			out[i].Err = classify(err)
		}
		return out
	}
	for i := range out {
		out[i] = sendResult(cmds[i].(*redis.Cmd), terms)
		if out[i].Err == nil && !out[i].Dup {
			out[i].Err = missing
		}
	}
	return out
}

// bringScripts has the first call of each script carry it.
func bringScripts(cmds []redis.Cmder) {
	brought := map[*script]bool{}
	for _, cmd := range cmds {
		if s := scriptOf(cmd); !brought[s] {
			brought[s] = true
			s.withSource(cmd.(*redis.Cmd))
		}
	}
}

func (q *Queue) sendIf(ctx context.Context, e *Envelope, t SendTerms, i int) *redis.Cmd {
	args := make([]any, 0, 9+2*7+len(e.Header))
	simple := t.now() && e.Level == 0
	order := e.OrderKey
	if q.topic { // who reads it keeps the order
		order = ""
	}
	if simple && t.Unique <= 0 && order == "" && e.UniqueKey == "" && e.ID != "" {
		switch {
		case t.Window > 0 && t.Once == "":
			keys := []string{q.Base, q.dedupeWithin(t.Scope, e.ID)}
			return dedupeScript.cmd(ctx, keys, e.appendFields(append(args, t.Window.Milliseconds()))...)
		case t.Window <= 0 && t.Once != "":
			keys := []string{q.Base, q.Dedupe(t.Once)}
			return dedupeScript.cmd(ctx, keys, e.appendFields(append(args, t.OnceFor.Milliseconds()))...)
		}
	}
	sc, keys := sendScript, q.scope()
	if simple {
		sc = onceScript
		args = append(args, order, e.UniqueKey, e.ID, tokenOf(t.Token, i))
	} else {
		delay, due := t.times()
		keys = append(keys, q.Delayed, q.Bodies)
		args = append(args, q.Notices(), q.Name, group, delay, due, t.Limit, tokenOf(t.Token, i))
	}
	if t.Once != "" {
		keys, args = append(keys, q.Dedupe(t.Once)), append(args, t.OnceFor.Milliseconds())
	}
	if t.Window > 0 {
		keys, args = append(keys, q.dedupeWithin(t.Scope, e.ID)), append(args, t.Window.Milliseconds())
	}
	if t.Unique > 0 {
		keys, args = append(keys, q.UniqueFor(t.For)), append(args, t.Unique.Milliseconds())
	}
	return sc.cmd(ctx, keys, e.appendFields(args)...)
}

// now reports whether nothing is to be waited for, and no room to be looked for.
func (t SendTerms) now() bool { return t.Delay <= 0 && t.Due.IsZero() && t.Limit == 0 }

// times are the delay and the due time in ms; -1 means: not.
func (t SendTerms) times() (delay, due int64) {
	switch {
	case t.Delay > 0:
		return ceilMs(t.Delay), -1
	case !t.Due.IsZero():
		return -1, dueMs(t.Due)
	}
	return -1, -1
}

// Remembered is how long an id that was sent with a window is still remembered,
// or 0.
func (q *Queue) Remembered(ctx context.Context, scope, id string) (time.Duration, error) {
	ms, err := q.s.count(ctx, "PTTL", q.dedupeWithin(scope, id))
	return time.Duration(max(ms, 0)) * time.Millisecond, err
}

func sendResult(cmd *redis.Cmd, t SendTerms) SendResult {
	reply, err := cmd.StringSlice()
	switch {
	case err != nil:
		return SendResult{Err: classify(err)}
	case len(reply) != 2:
		return SendResult{Err: fmt.Errorf("%w: %v", errProtocol, reply)}
	case reply[0] == "full":
		return SendResult{Err: fmt.Errorf("%w: %s messages wait, the limit is %d", ErrFull, reply[1], t.Limit)}
	}
	return SendResult{ID: reply[1], Dup: reply[0] == "dup"}
}

// dueMs is the first ms that is not before t.
func dueMs(t time.Time) int64 { return max(t.Add(time.Millisecond-1).UnixMilli(), 0) }

// ceilMs rounds up: rounding down would deliver early.
func ceilMs(d time.Duration) int64 {
	ms := d.Milliseconds()
	if d%time.Millisecond > 0 {
		ms++
	}
	return ms
}
