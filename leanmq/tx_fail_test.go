package leanmq_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/leanmq"
)

// Whatever makes a commit fail, and wherever it stands in the transaction, nothing of
// the others is left.
func TestFailedTxLeavesNothing(t *testing.T) {
	forEachUndivided(t, func(t *testing.T, url string) {
		mq, raw, ctx := open(t, url), rawClient(t, url), t.Context()
		in, out := mq.Queue("in"), mq.Queue("out")
		small := mq.Queue("small", leanmq.MaxLen(3))
		send(t, small, "there")
		send(t, small, "there too")
		send(t, out, "known", leanmq.ID("known"))
		raw.Set(ctx, "text", "no number", time.Hour)
		raw.Set(ctx, "number", 41, time.Hour)
		raw.HSet(ctx, "hash", "a", 1, "b", 2)
		raw.SAdd(ctx, "set", "x")
		raw.ZAdd(ctx, "zset", redis.Z{Score: 1.5, Member: "x"})
		raw.RPush(ctx, "list", 1, 2)
		raw.HSet(ctx, "mortal", "only", 1)
		raw.Expire(ctx, "mortal", time.Hour)
		for _, text := range []string{"mine", "lost", "lost to retry"} {
			send(t, in, text)
		}
		ms := received(t, in, 3, leanmq.Lease(100*time.Millisecond))
		eventually(t, "another one takes them over", func() bool {
			sq, err := mq.Store().Queue("in")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := sq.Join(ctx, "thief"); err != nil {
				t.Fatal(err)
			}
			es, _, err := sq.Reclaim(ctx, "thief", 0, 3, 0)
			if err != nil {
				t.Fatal(err)
			}
			return len(es) == 3
		})
		send(t, in, "held")
		held := received(t, in, 1)

		failures := map[string]struct {
			add  func(tx *leanmq.Tx)
			want error
			says string
		}{
			"lease lost": {func(tx *leanmq.Tx) { _ = tx.Done(ms[1].Message) }, leanmq.ErrLeaseLost, ms[1].ID},
			"retry of a lost one": {
				func(tx *leanmq.Tx) { _ = tx.Retry(ms[2].Message, errors.New("no")) }, leanmq.ErrLeaseLost, ms[2].ID,
			},
			"queue full": {func(tx *leanmq.Tx) {
				tx.Send(small, []byte("fits"))
				tx.Send(small, []byte("does not"))
			}, leanmq.ErrQueueFull, `"small"`},
			"no such letter":  {func(tx *leanmq.Tx) { _ = tx.Requeue(in, "1-1") }, leanmq.ErrNotFound, "1-1"},
			"must be new":     {func(tx *leanmq.Tx) { tx.Send(out, nil, leanmq.ID("known")).MustBeNew() }, leanmq.ErrDuplicate, "known"},
			"wrong type":      {func(tx *leanmq.Tx) { tx.Do("LPUSH", "text", "x") }, leanmq.ErrCommand, "WRONGTYPE"},
			"not an integer":  {func(tx *leanmq.Tx) { tx.Do("INCR", "text") }, leanmq.ErrCommand, "INCR \"text\""},
			"wrong arguments": {func(tx *leanmq.Tx) { tx.Do("HSET", "hash", "a") }, leanmq.ErrCommand, "HSET"},
			"a read fails":    {func(tx *leanmq.Tx) { tx.Do("HGET", "text", "a") }, leanmq.ErrCommand, "HGET"},
			"function": {func(tx *leanmq.Tx) {
				tx.Send(out, nil)
			}, errFunction, ""},
		}
		others := []func(tx *leanmq.Tx){
			func(tx *leanmq.Tx) { tx.Do("INCR", "number") },
			func(tx *leanmq.Tx) { tx.Do("HINCRBY", "hash", "a", 5) },
			func(tx *leanmq.Tx) { tx.Do("HSET", "hash", "b", 5, "new", 6) },
			func(tx *leanmq.Tx) { tx.Do("HDEL", "mortal", "only") },
			func(tx *leanmq.Tx) { tx.Do("SADD", "set", "x", "y") },
			func(tx *leanmq.Tx) { tx.Do("SREM", "set", "x") },
			func(tx *leanmq.Tx) { tx.Do("ZADD", "zset", "GT", 7, "x", 8, "y") },
			func(tx *leanmq.Tx) { tx.Do("ZREM", "zset", "x") },
			func(tx *leanmq.Tx) { tx.Do("RPUSH", "list", 3, 4) },
			func(tx *leanmq.Tx) { tx.Do("LPUSH", "newlist", 3, 4) },
			func(tx *leanmq.Tx) { tx.Do("EXPIRE", "hash", 100) },
			func(tx *leanmq.Tx) { tx.Do("PERSIST", "mortal") },
			func(tx *leanmq.Tx) { tx.Do("DEL", "number") },
			func(tx *leanmq.Tx) { tx.Do("SET", "number", "1") },
			func(tx *leanmq.Tx) { tx.Do("SET", "fresh", "1", "EX", 10) },
			func(tx *leanmq.Tx) { tx.Send(out, []byte("plain")) },
			func(tx *leanmq.Tx) { tx.Send(out, []byte("late"), leanmq.Delay(time.Hour)) },
			func(tx *leanmq.Tx) { tx.Send(out, []byte("once"), leanmq.ID("new"), leanmq.Unique("u")) },
			func(tx *leanmq.Tx) { tx.Send(small, []byte("small")) },
			func(tx *leanmq.Tx) { _ = tx.Done(held[0].Message) },
		}
		before := contents(t, raw)
		for name, f := range failures {
			for _, at := range []int{0, 7, len(others)} { // before, among and after the others
				err := mq.Tx(ctx, func(tx *leanmq.Tx) error {
					for i, other := range others {
						if i == at {
							f.add(tx)
						}
						other(tx)
					}
					if at == len(others) {
						f.add(tx)
					}
					if errors.Is(f.want, errFunction) {
						return errFunction
					}
					return nil
				})
				if !errors.Is(err, f.want) || !strings.Contains(fmt.Sprint(err), f.says) || errors.Is(err, leanmq.ErrUnknown) {
					t.Errorf("%s at %d: %v", name, at, err)
				}
				if after := contents(t, raw); after != before {
					t.Fatalf("%s at %d: before:\n%s\nafter:\n%s", name, at, before, after)
				}
			}
		}
		// And without the failure all of it is done.
		if err := mq.Tx(ctx, func(tx *leanmq.Tx) error {
			for _, other := range others {
				other(tx)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if n := raw.LLen(ctx, "list").Val(); n != 4 {
			t.Errorf("the list has %d", n)
		}
	})
}

var errFunction = errors.New("no")
