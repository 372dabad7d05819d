package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// received pulls n messages.
func received(t testing.TB, q *leanmq.Queue, n int, opts ...leanmq.ConsumeOption) []*leanmq.Pulled {
	t.Helper()
	p, err := q.Puller(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	var out []*leanmq.Pulled
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	for len(out) < n {
		ms, err := p.Receive(ctx, n-len(out))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, ms...)
	}
	return out
}

// Everything that can be in a transaction, in one.
func TestTxDoesEverything(t *testing.T) {
	forEachUndivided(t, func(t *testing.T, url string) {
		mq, raw := open(t, url), rawClient(t, url)
		in, out := mq.Queue("in"), mq.Queue("out")
		for _, text := range []string{"done", "retry", "reject", "letter"} {
			send(t, in, text)
		}
		ms := received(t, in, 4)
		if err := ms[3].Reject(t.Context(), errors.New("once")); err != nil {
			t.Fatal(err)
		}
		letter := oneDead(t, in)

		var plain, late, ordered, blocked, urgent, first, again, expiring *leanmq.TxSend
		var many []*leanmq.TxSend
		var set, sum *redis.Cmd
		err := mq.Tx(t.Context(), func(tx *leanmq.Tx) error {
			set = tx.Do("set", "greeting", []byte("hello"))
			sum = tx.Do("HINCRBY", "sums", "a", 7)
			plain = tx.Send(out, []byte("plain"), leanmq.WithHeader("key", "value"))
			late = tx.Send(out, []byte("late"), leanmq.Delay(time.Hour))
			ordered = tx.Send(out, []byte("ordered"), leanmq.OrderingKey("k"))
			blocked = tx.Send(out, []byte("blocked"), leanmq.OrderingKey("k"))
			urgent = tx.Send(out, []byte("urgent"), leanmq.Priority(leanmq.Urgent))
			first = tx.Send(out, []byte("first"), leanmq.ID("one"))
			again = tx.Send(out, []byte("again"), leanmq.ID("one"))
			expiring = tx.Send(out, []byte("expiring"), leanmq.TTL(time.Hour), leanmq.Unique("u"))
			many = tx.SendMany(out, [][]byte{[]byte("m0"), []byte("m1")}, leanmq.Delay(time.Hour))
			if plain.ID() != "" || !errors.Is(plain.Err(), leanmq.ErrTxOver) || !errors.Is(set.Err(), leanmq.ErrTxOver) {
				t.Error("something is known before the commit")
			}
			_ = tx.Requeue(in, letter.Letter)
			_ = tx.Retry(ms[1].Message, leanmq.RetryAfter(time.Hour, errors.New("later")))
			_ = tx.Reject(ms[2].Message, errors.New("never"))
			return tx.Done(ms[0].Message)
		})
		if err != nil {
			t.Fatal(err)
		}
		if set.Val() != "OK" || set.Err() != nil {
			t.Errorf("SET: %v, %v", set.Val(), set.Err())
		}
		if n, err := sum.Int(); n != 7 || err != nil {
			t.Errorf("HINCRBY: %v, %v", n, err)
		}
		if v := raw.Get(t.Context(), "greeting").Val(); v != "hello" {
			t.Errorf("the key holds %q", v)
		}
		if i := info(t, in); i.Ready != 1 || i.InFlight != 0 || i.Scheduled != 1 || i.Dead != 1 {
			t.Errorf("in: %+v", i)
		}
		if i := info(t, out); i.Ready != 5 || i.Scheduled != 3 || i.Blocked != 1 {
			t.Errorf("out: %+v", i)
		}
		if !again.Duplicate() || again.ID() != "one" || !errors.Is(again.Err(), leanmq.ErrDuplicate) || first.Duplicate() {
			t.Errorf("the second with one id: %q, %v", again.ID(), again.Err())
		}
		ids := map[string]string{}
		for m, err := range out.Waiting(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			ids[string(m.Payload)] = m.ID
		}
		waiting, err := out.Scheduled(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range waiting {
			ids[string(m.Message.Payload)] = m.Message.ID
		}
		for text, s := range map[string]*leanmq.TxSend{
			"plain": plain, "late": late, "ordered": ordered, "urgent": urgent, "first": first,
			"expiring": expiring, "m0": many[0], "m1": many[1],
		} {
			if s.ID() == "" || s.ID() != ids[text] || s.Err() != nil {
				t.Errorf("%s: id %q, in the queue %q, %v", text, s.ID(), ids[text], s.Err())
			}
		}
		if blocked.ID() == "" {
			t.Error("the blocked one has no id")
		}
		if _, err := out.Send(t.Context(), nil, leanmq.Unique("u")); !errors.Is(err, leanmq.ErrDuplicate) {
			t.Errorf("the unique key is free: %v", err)
		}
		if d := oneDead(t, in); string(d.Message.Payload) != "reject" || d.Reason != leanmq.ReasonRejected || d.Error != "never" {
			t.Errorf("dead: %+v", d)
		}
		if err := ms[0].Done(t.Context()); !errors.Is(err, leanmq.ErrInvalid) {
			t.Errorf("settled again: %v", err)
		}
		names, err := mq.QueueNames(t.Context())
		if err != nil || !slices.Contains(names, "out") {
			t.Errorf("queues: %v, %v", names, err)
		}
	})
}

// contents is all that the store holds, but for what a refused transaction may leave:
// the names of queues and topics.
func contents(t testing.TB, c redis.UniversalClient) string {
	t.Helper()
	ctx := context.Background()
	var lines []string
	for _, key := range c.Keys(ctx, "*").Val() {
		var v any
		switch kind := c.Type(ctx, key).Val(); kind {
		case "string":
			v = c.Get(ctx, key).Val()
		case "hash":
			v = c.HGetAll(ctx, key).Val()
		case "set":
			if key == "leanmq:queues" || key == "leanmq:topics" {
				continue
			}
			v = slices.Sorted(slices.Values(c.SMembers(ctx, key).Val()))
		case "zset":
			v = c.ZRangeWithScores(ctx, key, 0, -1).Val()
		case "list":
			v = c.LRange(ctx, key, 0, -1).Val()
		case "stream":
			v = c.XRange(ctx, key, "-", "+").Val()
			if p, err := c.XPending(ctx, key, "leanmq").Result(); err == nil {
				v = fmt.Sprint(v, *p)
			}
		default:
			v = kind
		}
		lines = append(lines, fmt.Sprintf("%s = %v, expires in %v", key, v, c.PTTL(ctx, key).Val().Round(time.Minute)))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// A message that goes on under its own id keeps its unique key: the end of the old one
// does not free what is the new one's.
func TestTxPassesAUniqueKeyOnUnderOneID(t *testing.T) {
	forEachUndivided(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("steps")
		opts := []leanmq.SendOption{leanmq.ID("job"), leanmq.Dedupe(0), leanmq.Unique("u")}
		send(t, q, "step 1", opts...)
		for _, next := range []string{"step 2", "step 3"} {
			ms := received(t, q, 1)
			if err := mq.Tx(t.Context(), func(tx *leanmq.Tx) error {
				tx.Send(q, []byte(next), opts...).MustBeNew()
				return tx.Done(ms[0].Message)
			}); err != nil {
				t.Fatalf("%s: %v", next, err)
			}
			if _, err := q.Send(t.Context(), []byte("beside it"), opts...); !errors.Is(err, leanmq.ErrDuplicate) {
				t.Errorf("beside %s: %v", next, err)
			}
		}
	})
}

// forEachUndivided is redistest.ForEachStore without the cluster: these tests have
// queues and keys in several slots. TestTxOnACluster has them in one.
func forEachUndivided(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		if strings.HasPrefix(url, "redis+cluster:") {
			t.Skip("queues and keys in several slots")
		}
		test(t, url)
	})
}
