package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func partitions(t testing.TB, q *leanmq.PartitionedQueue) leanmq.PartitionsInfo {
	t.Helper()
	i, err := q.Info(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// readies is how many messages are ready in each partition.
func readies(t testing.TB, q *leanmq.PartitionedQueue) (n []int64) {
	t.Helper()
	for _, p := range partitions(t, q).Partitions {
		n = append(n, p.Ready)
	}
	return n
}

func numbers(n int) (payloads [][]byte) {
	for i := range n {
		payloads = append(payloads, fmt.Append(nil, i))
	}
	return payloads
}

func TestPartitionsAreFilledInTurns(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Partitioned("svc:jobs", 4)
		if q.Name() != "svc:jobs" {
			t.Errorf("name %q", q.Name())
		}
		for range 8 {
			send(t, q, "x")
		}
		send(t, mq.Partitioned("svc:jobs", 4), "x", leanmq.WithHeader("a-header", "y")) // another handle
		ids, err := q.SendMany(t.Context(), numbers(11))
		if err != nil || len(ids) != 11 || slices.Contains(ids, "") {
			t.Fatalf("%q, %v", ids, err)
		}
		if n := readies(t, q); !slices.Equal(n, []int64{5, 5, 5, 5}) {
			t.Errorf("messages: %v", n)
		}
		info := partitions(t, q)
		if info.Name != "svc:jobs" || info.Ready != 20 || info.Partitions[3].Name != q.Partitions()[3].Name() {
			t.Errorf("%+v", info)
		}
		// Ids are in the caller's order, and each partition's messages too.
		for _, p := range q.Partitions() {
			last := ""
			for m, err := range p.Waiting(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if s := string(m.Payload); s != "x" {
					if ids[atoi(t, s)] != m.ID {
						t.Errorf("%s has id %s, want %s", s, m.ID, ids[atoi(t, s)])
					}
					if len(s) < len(last) || len(s) == len(last) && s < last {
						t.Errorf("%s comes after %s", s, last)
					}
					last = s
				}
			}
		}
		if ids, err := q.SendMany(t.Context(), nil); len(ids) != 0 || err != nil {
			t.Errorf("sending nothing: %v, %v", ids, err)
		}
	})
}

func atoi(t testing.TB, s string) (n int) {
	t.Helper()
	if _, err := fmt.Sscan(s, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Where messages are must never change, or two of the same key could be in two
// partitions.
func TestKeysDecideOnThePartition(t *testing.T) {
	q := open(t, "mem://").Partitioned("jobs", 6)
	parts := q.Partitions()
	var got []int
	for _, key := range []string{"a", "b", "c", "account-7", "account-8", "welcome-42", "é", strings.Repeat("x", 256)} {
		got = append(got, slices.Index(parts, q.Partition(key)))
	}
	if want := []int{3, 2, 2, 0, 1, 0, 3, 1}; !slices.Equal(got, want) {
		t.Errorf("partitions: %v, want %v", got, want)
	}
	per := make([]int, len(parts))
	for i := range 6000 {
		per[slices.Index(parts, q.Partition(fmt.Sprint("user-", i)))]++
	}
	if slices.Min(per) < 900 || slices.Max(per) > 1100 {
		t.Errorf("6000 keys: %v", per)
	}

	for what, opts := range map[string][]leanmq.SendOption{
		"ordering key":            {leanmq.OrderingKey("k"), leanmq.Unique("u1"), leanmq.ID("i1")},
		"partition key":           {leanmq.PartitionBy("k"), leanmq.Unique("u2"), leanmq.ID("i2")},
		"unique":                  {leanmq.Unique("k"), leanmq.ID("i3")},
		"unique for":              {leanmq.UniqueFor("k", 1e9), leanmq.ID("i4")},
		"id":                      {leanmq.ID("k")},
		"differing, with a third": {leanmq.PartitionBy("k"), leanmq.Unique("u5"), leanmq.UniqueFor("u6", 1e9)},
	} {
		before := info(t, q.Partition("k"))
		send(t, q, "x", opts...)
		if after := info(t, q.Partition("k")); after.Ready+after.Blocked != before.Ready+before.Blocked+1 {
			t.Errorf("%s does not decide", what)
		}
	}
	_, err := q.Send(t.Context(), nil, leanmq.PartitionBy("k"), leanmq.OrderingKey("k"))
	isInvalid(t, err, "PartitionBy")
	_, err = q.SendMany(t.Context(), numbers(2), leanmq.PartitionBy("k"), leanmq.OrderingKey("k"))
	isInvalid(t, err, "PartitionBy")
	_, err = q.Send(t.Context(), nil, leanmq.PartitionBy(""))
	isInvalid(t, err, "PartitionBy")
	_, err = q.Send(t.Context(), nil, leanmq.Unique("a"), leanmq.UniqueFor("b", 1e9))
	isInvalid(t, err, "Unique")
	_, err = q.SendMany(t.Context(), numbers(2), leanmq.ID("a"))
	isInvalid(t, err, "ID")
	if _, err := q.SendValue(t.Context(), func() {}); !errors.Is(err, leanmq.ErrInvalid) {
		t.Errorf("a value that cannot be encoded: %v", err)
	}
	id, err := q.SendValue(t.Context(), 42, leanmq.ID("the answer"))
	if err != nil {
		t.Fatal(err)
	}
	for m, err := range q.Partition("the answer").Waiting(t.Context()) {
		if err != nil || m.ID == id && string(m.Payload) != "42" {
			t.Errorf("%s, %v", m.Payload, err)
		}
	}
	if _, err := open(t, "mem://").Queue("q").Send(t.Context(), nil, leanmq.PartitionBy("k")); err != nil {
		t.Errorf("a queue without partitions: %v", err)
	}
}

func TestOnceInTheWholePartitionedQueue(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url, leanmq.UseSend(func(next leanmq.SendFunc) leanmq.SendFunc { return next }))
		for name, q := range map[string]*leanmq.PartitionedQueue{
			"plain":           open(t, url).Partitioned("jobs", 5),
			"with middleware": mq.Partitioned("others", 5),
		} {
			for key, opts := range map[string][]leanmq.SendOption{
				"id":     {leanmq.ID("a")},
				"unique": {leanmq.Unique("b")},
				"for":    {leanmq.UniqueFor("c", 60e9)},
			} {
				first := send(t, q, "x", opts...)
				if id, err := q.Send(t.Context(), []byte("y"), opts...); !errors.Is(err, leanmq.ErrDuplicate) || id != first {
					t.Errorf("%s: the second with the same %s: %s, %v", name, key, id, err)
				}
			}
			payloads := append(numbers(20), numbers(20)[13], []byte("new"))
			ids, err := q.SendMany(t.Context(), payloads, leanmq.UniquePayload())
			var where *leanmq.Error
			if !errors.Is(err, leanmq.ErrDuplicate) || !errors.As(err, &where) || where.ID != "#20" {
				t.Errorf("%s: the error names no message 20: %v", name, err)
			}
			if len(ids) != 22 || ids[20] != ids[13] || ids[21] == "" {
				t.Errorf("%s: ids %q", name, ids)
			}
		}
	})
}

func TestTheNumberOfPartitionsStays(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Partitioned("jobs", 4)
		if info := partitions(t, q); info.Ready != 0 || len(info.Partitions) != 4 {
			t.Errorf("before it exists: %+v", info)
		}
		send(t, q, "x")
		mq := open(t, url)
		other := mq.Partitioned("jobs", 3)
		ctx := t.Context()
		_, send := other.Send(ctx, nil)
		_, many := other.SendMany(ctx, numbers(3))
		_, asks := other.Info(ctx)
		for what, err := range map[string]error{
			"Send": send, "SendMany": many, "Info": asks, "Pause": other.Pause(ctx), "Delete": other.Delete(ctx),
			"Consume": other.Consume(ctx, (&record{}).done),
		} {
			var wrong *leanmq.PartitionsError
			if !errors.As(err, &wrong) || *wrong != (leanmq.PartitionsError{Queue: "jobs", Given: 3, Fixed: 4}) || !errors.Is(err, leanmq.ErrInvalid) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := q.Delete(ctx); !errors.Is(err, leanmq.ErrNotEmpty) {
			t.Errorf("deleting it while it has messages: %v", err)
		}
		c := consumePartitions(t, q, (&record{}).done)
		partitionsBecomeEmpty(t, q)
		if err := q.Delete(ctx); !errors.Is(err, leanmq.ErrConsuming) {
			t.Errorf("deleting it while it is consumed: %v", err)
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		if err := q.Delete(ctx); err != nil {
			t.Error(err)
		}
		if _, err := other.Send(ctx, nil); err != nil {
			t.Errorf("after that with 3 partitions: %v", err)
		}
	})
}

func TestPartitionedOutOfBounds(t *testing.T) {
	mq := open(t, "mem://")
	for field, q := range map[string]*leanmq.PartitionedQueue{
		"partitions":      mq.Partitioned("jobs", 0),
		"partitions ":     mq.Partitioned("jobs", 1025),
		"queue name":      mq.Partitioned("a{b}", 2),
		"queue name ":     mq.Partitioned(strings.Repeat("x", 56), 2),
		"queue tag":       mq.Partitioned(strings.Repeat("x", 56)+":jobs", 2),
		"MaxPayloadBytes": mq.Partitioned("jobs", 2, leanmq.MaxPayloadBytes(0)),
	} {
		field = strings.TrimSpace(field)
		_, err := q.Send(t.Context(), nil)
		isInvalid(t, err, field)
		_, err = q.Info(t.Context())
		isInvalid(t, err, field)
		isInvalid(t, q.Consume(t.Context(), (&record{}).done), field)
		isInvalid(t, q.Resume(t.Context()), field)
		_, err = q.Partition("x").Send(t.Context(), nil)
		isInvalid(t, err, field)
		for _, err := range q.DeadLetters(t.Context()) {
			isInvalid(t, err, field)
		}
	}
	q := mq.Partitioned("jobs", 2)
	isInvalid(t, q.Consume(t.Context(), nil), "handler")
	isInvalid(t, q.Consume(t.Context(), (&record{}).done, leanmq.Concurrency(0)), "Concurrency")
}

func TestDeadLettersOfPartitions(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Partitioned("jobs", 3)
		if _, err := q.SendMany(t.Context(), numbers(6)); err != nil {
			t.Fatal(err)
		}
		c := consumePartitions(t, q, func(context.Context, *leanmq.Message) error { return leanmq.Reject(errors.New("no")) })
		eventually(t, "all are dead", func() bool { return partitions(t, q).Dead == 6 })
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		var queues []string
		for d, err := range q.DeadLetters(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			queues = append(queues, d.Message.Queue)
		}
		if len(queues) != 6 || len(slices.Compact(slices.Sorted(slices.Values(queues)))) != 3 {
			t.Errorf("dead letters of %q", queues)
		}
		if err := q.Pause(t.Context()); err != nil {
			t.Error(err)
		}
		if n, err := q.RequeueAll(t.Context()); n != 6 || err != nil {
			t.Errorf("requeued %d, %v", n, err)
		}
		var r record
		consumePartitions(t, q, r.done)
		if info := partitions(t, q); !info.Paused || info.Ready != 6 || r.count() != 0 {
			t.Errorf("%d handled, %+v", r.count(), info)
		}
		if err := q.Resume(t.Context()); err != nil {
			t.Error(err)
		}
		r.wait(t, 6)
	})
}

// A send to a partitioned queue is one XADD, as to any other.
func TestPartitionedSendsCostNoMore(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	q := open(t, server.URL()).Partitioned("jobs", 4)
	if _, err := q.SendMany(t.Context(), numbers(100)); err != nil { // makes and lists it
		t.Fatal(err)
	}
	c := rawClient(t, server.URL())
	if err := c.ConfigResetStat(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		send(t, q, "x")
	}
	if _, err := q.SendMany(t.Context(), numbers(100)); err != nil {
		t.Fatal(err)
	}
	stats := c.Info(t.Context(), "commandstats").Val()
	if !strings.Contains(stats, "cmdstat_xadd:calls=200,") {
		t.Errorf("200 messages took:\n%s", stats)
	}
	for line := range strings.Lines(stats) {
		name, _, _ := strings.Cut(line, ":")
		switch name {
		case "cmdstat_xadd", "cmdstat_info", "cmdstat_config|resetstat", "cmdstat_hsetnx", "cmdstat_hget", "cmdstat_hello", "cmdstat_echo", "# Commandstats\r\n", "# Commandstats":
		default:
			t.Errorf("200 messages took also %s", line)
		}
	}
}
