package store_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

// plantedBugs are what a queue might do wrong. Each replaces a call of the store by
// one that does it.
var plantedBugs = map[string]func(x *machine){
	"acknowledged before it is handled": func(x *machine) {
		read := x.calls.read
		x.calls.read = func(h *hand, qs []*store.Queue, n int, each func(int, store.Entry)) error {
			return read(h, qs, n, func(i int, e store.Entry) {
				x.raw.XAck(x.ctx, qs[i].Stream, "leanmq", e.Entry)
				x.raw.XDel(x.ctx, qs[i].Stream, e.Entry)
				each(i, e)
			})
		}
	},
	"the group begins at the end": func(x *machine) {
		join := x.calls.join
		x.calls.join = func(q *store.Queue, w string) (string, error) {
			fresh := len(x.raw.XInfoGroups(x.ctx, q.Stream).Val()) == 0
			epoch, err := join(q, w)
			if fresh {
				x.raw.XGroupSetID(x.ctx, q.Stream, "leanmq", "$")
			}
			return epoch, err
		}
	},
	"nobody fences": func(x *machine) {
		settle := x.calls.settle
		x.calls.settle = func(q *store.Queue, w string, st *store.Settlement) (store.Settled, error) {
			forged := *st
			epoch := x.raw.HGet(x.ctx, q.Workers, w).Val()
			forged.Done, forged.Finished = nil, nil
			for _, d := range st.Done {
				forged.Done = append(forged.Done, store.Done{Epoch: epoch, IDs: d.IDs})
			}
			for _, f := range st.Finished {
				f.Epoch = epoch
				forged.Finished = append(forged.Finished, f)
			}
			return settle(q, w, &forged)
		}
	},
	"a takeover that nobody hears of": func(x *machine) {
		reclaim := x.calls.reclaim
		x.calls.reclaim = func(q *store.Queue, w string, n, most int) ([]store.Entry, int, error) {
			epochs := x.raw.HGetAll(x.ctx, q.Workers).Val()
			es, buried, err := reclaim(q, w, n, most)
			for w, epoch := range epochs {
				x.raw.HSet(x.ctx, q.Workers, w, epoch)
			}
			return es, buried, err
		}
	},
	"a lane goes on twice": func(x *machine) {
		settle := x.calls.settle
		x.calls.settle = func(q *store.Queue, w string, st *store.Settlement) (store.Settled, error) {
			out, err := settle(q, w, st)
			for _, f := range st.Finished {
				body := x.raw.LPop(x.ctx, q.Lane(f.OrderKey)).Val()
				if fields, uerr := store.UnpackFields(body); uerr == nil && len(fields) > 0 {
					x.raw.XAdd(x.ctx, &redis.XAddArgs{Stream: q.Base, Values: fieldValues(fields)})
					x.raw.HIncrBy(x.ctx, q.Meta, "blocked", -1)
				}
			}
			return out, err
		}
	},
	"a unique key is never free again": func(x *machine) {
		settle := x.calls.settle
		x.calls.settle = func(q *store.Queue, w string, st *store.Settlement) (store.Settled, error) {
			out, err := settle(q, w, st)
			for _, f := range st.Finished {
				if f.UniqueKey != "" {
					x.raw.HSet(x.ctx, q.Unique, f.UniqueKey, f.MessageID)
				}
			}
			return out, err
		}
	},
	"a retry keeps its entry": func(x *machine) {
		settle := x.calls.settle
		x.calls.settle = func(q *store.Queue, w string, st *store.Settlement) (store.Settled, error) {
			out, err := settle(q, w, st)
			if len(st.Retries) > 0 && len(out.Lost) == 0 {
				x.raw.XAdd(x.ctx, &redis.XAddArgs{Stream: q.Stream, Values: []string{"p", "copy"}})
			}
			return out, err
		}
	},
	"a message is promoted twice": func(x *machine) {
		promote := x.calls.promote
		x.calls.promote = func(most int) ([]store.Promoted, error) {
			scores := x.raw.ZRangeWithScores(x.ctx, x.q.Delayed, 0, -1).Val()
			bodies := x.raw.HGetAll(x.ctx, x.q.Bodies).Val()
			out, err := promote(most)
			x.raw.ZAdd(x.ctx, x.q.Delayed, scores...)
			x.raw.HSet(x.ctx, x.q.Bodies, bodies)
			return out, err
		}
	},
	"a requeue leaves the letter": func(x *machine) {
		requeue := x.calls.requeue
		x.calls.requeue = func(first, last string, n int) (int, string, error) {
			letters := x.raw.XRange(x.ctx, x.q.Dead, first, last).Val()
			moved, upTo, err := requeue(first, last, n)
			for _, l := range letters[:moved] {
				x.raw.XAdd(x.ctx, &redis.XAddArgs{Stream: x.q.Dead, Values: l.Values})
			}
			return moved, upTo, err
		}
	},
	"a limit is no limit": func(x *machine) {
		send := x.calls.send
		x.calls.send = func(es []store.Envelope, terms store.SendTerms) []store.SendResult {
			terms.Limit = 0
			return send(es, terms)
		}
	},
}

func fieldValues(fields [][]byte) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = string(f)
	}
	return out
}

// The model sees what is wrong, and says it in words.
func TestModelSeesPlantedBugs(t *testing.T) {
	b := newBench(t, redistest.Server(t).URL())
	forceFlag(t, "rapid.checks", 300)
	forceFlag(t, "rapid.steps", 60)
	forceFlag(t, "rapid.nofailfile", true)
	forceFlag(t, "rapid.shrinktime", "200ms")
	for name, plant := range plantedBugs {
		t.Run(name, func(t *testing.T) {
			j := &jury{T: t}
			j.try(func(t *rapid.T) {
				x := b.start(t)
				plant(x)
				t.Repeat(x.actions())
				x.heal()
			})
			said := j.said.String()
			for _, want := range []string{"the queue is not what the model says", "draw action", "-rapid.seed="} {
				if !strings.Contains(said, want) {
					t.Fatalf("no %q in what was said:\n%s", want, said)
				}
			}
		})
	}
}

// jury is a test that is to fail, and says why to itself.
type jury struct {
	*testing.T
	said   strings.Builder
	failed bool
}

type guilty struct{}

func (j *jury) try(property func(*rapid.T)) {
	defer func() {
		if r := recover(); r != nil && r != (guilty{}) {
			panic(r)
		}
	}()
	rapid.Check(j, property)
}

func (j *jury) Logf(format string, args ...any) { fmt.Fprintf(&j.said, format+"\n", args...) }
func (j *jury) Log(args ...any)                 { fmt.Fprintln(&j.said, args...) }
func (j *jury) Fail()                           { j.failed = true }
func (j *jury) Failed() bool                    { return j.failed }

func (j *jury) FailNow() {
	j.failed = true
	panic(guilty{})
}

func (j *jury) Errorf(format string, args ...any) {
	j.Logf(format, args...)
	j.Fail()
}

func (j *jury) Error(args ...any) {
	j.Log(args...)
	j.Fail()
}

func (j *jury) Fatalf(format string, args ...any) {
	j.Logf(format, args...)
	j.FailNow()
}

func (j *jury) Fatal(args ...any) {
	j.Log(args...)
	j.FailNow()
}
