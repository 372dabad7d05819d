package leanmq_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/mqtest"
	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

// Who looks while transactions are committed, or refused, never sees half of one.
func TestNobodySeesHalfATx(t *testing.T) {
	forEachUndivided(t, func(t *testing.T, url string) {
		mq, raw := open(t, url), rawClient(t, url)
		a, b := mq.Queue("a"), mq.Queue("b")
		const n = 200
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for i := range n {
				_ = mq.Tx(context.Background(), func(tx *leanmq.Tx) error {
					tx.Do("HINCRBY", "sums", "x", 1)
					tx.Do("HINCRBY", "sums", "y", -1)
					tx.Send(a, nil)
					tx.Send(b, nil, leanmq.Delay(time.Hour))
					if i%2 == 1 {
						tx.Do("INCR", "sums") // a hash: fails when the others have run
					}
					return nil
				})
			}
		}()
		looks := 0
		for over := false; !over; looks++ {
			select {
			case <-ended:
				over = true
			default:
			}
			var x, y *redis.StringCmd
			var ready, late *redis.IntCmd
			_, err := raw.TxPipelined(t.Context(), func(p redis.Pipeliner) error {
				x, ready = p.HGet(t.Context(), "sums", "x"), p.XLen(t.Context(), "leanmq:{a}:a")
				late, y = p.ZCard(t.Context(), "leanmq:{b}:b:delayed"), p.HGet(t.Context(), "sums", "y")
				return nil
			})
			if err != nil && !errors.Is(err, redis.Nil) {
				t.Fatal(err)
			}
			nx, _ := strconv.Atoi(x.Val())
			ny, _ := strconv.Atoi(y.Val())
			if nx != -ny || int64(nx) != ready.Val() || ready.Val() != late.Val() {
				t.Fatalf("seen: x %d, y %d, %d ready, %d delayed", nx, ny, ready.Val(), late.Val())
			}
		}
		if got := raw.HGet(t.Context(), "sums", "x").Val(); got != fmt.Sprint(n/2) {
			t.Errorf("%s of %d transactions were committed, want half of them", got, n)
		}
		t.Logf("looked %d times", looks)
	})
}

// A commit whose reply was lost has happened once, however often it is repeated: by a
// handler, because the message is settled, and by others, because a send must be new.
func TestTxWhoseReplyIsLostHappensOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	p := testkit.NewProxy(t)
	direct := open(t, server.URL())
	raw := rawClient(t, server.URL())
	mq := mqtest.OpenBy(t, server.URL(), p.Dial)
	q, out := mq.Queue("q"), mq.Queue("out")
	send(t, q, "m")
	ms := received(t, q, 1)

	// The command arrives, but its reply does not: the server has committed.
	for name, add := range map[string]func(tx *leanmq.Tx){
		"settling":    func(tx *leanmq.Tx) { _ = tx.Done(ms[0].Message); tx.Send(out, []byte("settling")) },
		"must be new": func(tx *leanmq.Tx) { tx.Send(out, []byte("must be new"), leanmq.ID("id")).MustBeNew() },
	} {
		commit := func(ctx context.Context) error {
			return mq.Tx(ctx, func(tx *leanmq.Tx) error {
				tx.Do("INCR", name)
				add(tx)
				return nil
			})
		}
		p.Mute(true)
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- commit(ctx) }()
		eventually(t, "it is committed", func() bool { return raw.Get(t.Context(), name).Val() == "1" })
		cancel()
		err := receive(t, "the end of the call", result)
		if !errors.Is(err, leanmq.ErrUnknown) {
			t.Fatalf("%s: %v, want unknown", name, err)
		}
		p.Mute(false)
		err = commit(t.Context())
		if !errors.Is(err, leanmq.ErrLeaseLost) && !errors.Is(err, leanmq.ErrDuplicate) {
			t.Errorf("%s, repeated: %v", name, err)
		}
		if n := raw.Get(t.Context(), name).Val(); n != "1" {
			t.Errorf("%s happened %s times", name, n)
		}
	}
	if i := info(t, direct.Queue("out")); i.Ready != 2 {
		t.Errorf("%+v", i)
	}
	if i := info(t, direct.Queue("q")); i.Ready+i.InFlight != 0 {
		t.Errorf("%+v", i)
	}

	// A connection that is cut, in a handler: all happens once.
	const n = 20
	consume(t, mq.Queue("jobs"), func(ctx context.Context, m *leanmq.Message) error {
		if m.Attempt == 1 && m.Deliveries == 1 {
			go p.Cut()
		}
		return mq.Tx(ctx, func(tx *leanmq.Tx) error {
			tx.Do("INCR", "job "+string(m.Payload))
			return tx.Done(m)
		})
	}, leanmq.Lease(300*time.Millisecond), leanmq.MaxDeliveries(1000), patient, leanmq.Concurrency(2))
	sendMany(t, direct.Queue("jobs"), n)
	becomesEmpty(t, direct.Queue("jobs"))
	for i := range n {
		if v := raw.Get(t.Context(), fmt.Sprint("job ", i)).Val(); v != "1" {
			t.Errorf("job %d happened %s times", i, v)
		}
	}
}

func TestTxWhoseScriptIsForgotten(t *testing.T) {
	forEachUndivided(t, func(t *testing.T, url string) {
		mq, raw := open(t, url), rawClient(t, url)
		q := mq.Queue("q")
		for i := range 4 {
			if err := raw.ScriptFlush(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			err := mq.Tx(t.Context(), func(tx *leanmq.Tx) error {
				tx.Send(q, nil)
				if i%2 == 1 {
					tx.Send(q, nil, leanmq.OrderingKey("k"))
				}
				tx.Do("INCR", "n")
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if i := info(t, q); i.Ready+i.Blocked != 6 || raw.Get(t.Context(), "n").Val() != "4" {
			t.Errorf("%+v, %s", i, raw.Get(t.Context(), "n").Val())
		}
	})
}

// While memory is full a transaction that sends is refused as a whole, and one that
// only settles is not.
func TestTxUnderFullMemory(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t, "--maxmemory-policy", "noeviction")
	raw, mq := rawClient(t, server.URL()), open(t, server.URL())
	q, out := mq.Queue("q"), mq.Queue("out")
	for _, text := range []string{"done", "retry", "reject", "special"} {
		send(t, q, text, leanmq.OrderingKey(text))
	}
	ms := received(t, q, 4)
	raw.Set(t.Context(), "ballast", bytes.Repeat([]byte("x"), 4<<20), 0)
	raw.HSet(t.Context(), "hash", "a", 1)
	if err := raw.ConfigSet(t.Context(), "maxmemory", "1mb").Err(); err != nil {
		t.Fatal(err)
	}
	before := contents(t, raw)
	for name, add := range map[string]func(tx *leanmq.Tx){
		"plain":     func(tx *leanmq.Tx) { tx.Send(out, nil) },
		"delayed":   func(tx *leanmq.Tx) { tx.Send(out, nil, leanmq.Delay(time.Hour)) },
		"with id":   func(tx *leanmq.Tx) { tx.Send(out, nil, leanmq.ID("x")) },
		"ordered":   func(tx *leanmq.Tx) { tx.Send(out, nil, leanmq.OrderingKey("k"), leanmq.Unique("u")) },
		"new level": func(tx *leanmq.Tx) { tx.Send(out, nil, leanmq.Priority(leanmq.High)) },
		"command":   func(tx *leanmq.Tx) { tx.Do("HINCRBY", "hash", "a", 1); tx.Do("HSET", "hash", "b", 1) },
	} {
		err := mq.Tx(t.Context(), func(tx *leanmq.Tx) error {
			add(tx)
			return tx.Done(ms[0].Message)
		})
		if !errors.Is(err, leanmq.ErrUnavailable) || errors.Is(err, leanmq.ErrUnknown) {
			t.Errorf("%s: %v, want unavailable, and not unknown", name, err)
		}
		if after := contents(t, raw); after != before {
			t.Errorf("%s: before:\n%.3000s\nafter:\n%.3000s", name, before, after)
		}
	}
	if err := mq.Tx(t.Context(), func(tx *leanmq.Tx) error {
		_ = tx.Retry(ms[1].Message, leanmq.RetryAfter(time.Hour, nil))
		_ = tx.Reject(ms[2].Message, nil)
		_ = tx.Done(ms[3].Message)
		return tx.Done(ms[0].Message)
	}); err != nil {
		t.Errorf("settling only: %v", err)
	}
	if i := info(t, q); i.InFlight != 0 || i.Scheduled != 1 || i.Dead != 1 {
		t.Errorf("%+v", i)
	}
}

// Middleware, sealing and hooks mean the same for messages of transactions.
func TestTxSendsThroughWhatIsAroundSends(t *testing.T) {
	forEachUndivided(t, func(t *testing.T, url string) {
		var infos []leanmq.SendInfo
		var seen [][]string
		refuse, drop, again := false, false, false
		mw := func(next leanmq.SendFunc) leanmq.SendFunc {
			return func(ctx context.Context, ms []*leanmq.Outgoing) error {
				var texts []string
				for _, m := range ms {
					texts = append(texts, m.Queue+" "+string(m.Payload))
					m.Header["traced"] = "yes"
				}
				seen = append(seen, texts)
				switch {
				case refuse:
					return errFunction
				case drop:
					ms = ms[1:]
				}
				err := next(ctx, ms)
				for _, m := range ms {
					if err == nil && m.ID == "" {
						t.Error("sent, and without an id")
					}
				}
				if again {
					err = next(ctx, ms)
				}
				return err
			}
		}
		mq := open(t, url, leanmq.UseSend(mw), leanmq.Compress(100),
			leanmq.Observe(leanmq.Hooks{Sent: func(i leanmq.SendInfo) { infos = append(infos, i) }}))
		raw := rawClient(t, url)
		a, b := mq.Queue("a"), mq.Queue("b")
		long := bytes.Repeat([]byte("long "), 100)
		commit := func() error {
			return mq.Tx(t.Context(), func(tx *leanmq.Tx) error {
				tx.Send(a, []byte("1"))
				tx.Send(b, long, leanmq.ID("one"))
				tx.Send(a, []byte("2"), leanmq.Delay(time.Hour))
				tx.Do("INCR", "n")
				return nil
			})
		}
		refuse = true
		if err := commit(); !errors.Is(err, errFunction) {
			t.Errorf("refused: %v", err)
		}
		refuse, drop = false, true
		if err := commit(); !errors.Is(err, leanmq.ErrNotSent) {
			t.Errorf("not all of it passed on: %v", err)
		}
		if n := raw.Exists(t.Context(), "n", "leanmq:{a}:a", "leanmq:{b}:b").Val(); n != 0 {
			t.Error("something was sent")
		}
		drop, again = false, true
		for range 2 { // the second time one of them is a duplicate
			if err := commit(); err != nil {
				t.Fatal(err)
			}
		}
		if want := []string{"a 1", "b " + string(long), "a 2"}; len(seen) != 4 || !slices.Equal(seen[3], want) {
			t.Errorf("the middleware saw %d calls: %.200q", len(seen), seen)
		}
		if n := raw.Get(t.Context(), "n").Val(); n != "2" {
			t.Errorf("committed %s times", n)
		}
		ms := received(t, b, 1)
		if !bytes.Equal(ms[0].Payload, long) || ms[0].Header.Get("traced") != "yes" {
			t.Errorf("received %.40q, %v", ms[0].Payload, ms[0].Header)
		}
		if stored := raw.XRange(t.Context(), "leanmq:{b}:b", "-", "+").Val(); len(stored) != 1 || len(fmt.Sprint(stored[0].Values["p"])) > 200 {
			t.Error("not compressed, or not once")
		}
		got := map[string]int{}
		for _, i := range infos {
			got[fmt.Sprint(i.Queue, " ", i.Count, " ", i.Sent, " ", i.Err == nil)]++
		}
		for what, n := range map[string]int{"a 2 2 true": 2, "b 1 1 true": 1, "b 1 0 true": 1, "a 2 0 false": 2, "b 1 0 false": 2} {
			if got[what] != n {
				t.Errorf("hooks were told %v, want %d of %s", got, n, what)
			}
		}
	})
}
