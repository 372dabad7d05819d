package leanmq_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

// cancel cancels a message in a process of its own and checks whether it was removed
// at once.
func cancel(t testing.TB, q *leanmq.Queue, id string, wantRemoved bool) {
	t.Helper()
	if removed, err := q.Cancel(t.Context(), id); err != nil || removed != wantRemoved {
		t.Errorf("cancel %s: removed %v, %v; want %v", id, removed, err, wantRemoved)
	}
}

// resultOf looks at a result without waiting.
func resultOf(t testing.TB, q *leanmq.Queue, id string) *leanmq.Result {
	t.Helper()
	over, stop := context.WithCancel(context.Background())
	stop()
	r, err := q.Result(over, id)
	if err != nil && !errors.Is(err, leanmq.ErrNoResult) {
		t.Fatal(err)
	}
	return r
}

func TestCancelRemovesWhatWaits(t *testing.T) {
	later := leanmq.Delay(time.Hour)
	for name, opts := range map[string][]leanmq.SendOption{
		"ready":                         nil,
		"ready, urgent":                 {leanmq.Priority(leanmq.Urgent)},
		"scheduled":                     {later},
		"scheduled, with an ID":         {later, leanmq.ID("mine")},
		"scheduled, with an order":      {later, leanmq.OrderingKey("k")},
		"scheduled for more than a day": {leanmq.Delay(48 * time.Hour), leanmq.ID("mine")},
	} {
		t.Run(name, func(t *testing.T) {
			redistest.ForEachStore(t, func(t *testing.T, url string) {
				q := open(t, url).Queue("q")
				opts := append(opts, leanmq.KeepResult(time.Minute), leanmq.Unique("u"))
				id := send(t, q, "x", opts...)
				cancel(t, open(t, url).Queue("q"), id, true)
				if i := info(t, q); i.Ready+i.Scheduled+i.Blocked != 0 || i.Canceled != 1 {
					t.Errorf("%+v, want it empty with 1 canceled", i)
				}
				if r := resultOf(t, q, id); r == nil || r.Status != leanmq.ResultCanceled || r.Error != "" {
					t.Errorf("result %+v", r)
				}
				var got record
				consume(t, q, got.done)
				send(t, q, "next", leanmq.Unique("u"), leanmq.OrderingKey("k"))
				if s := got.wait(t, 1); s[0].Payload != "next" {
					t.Errorf("handled %q", s[0].Payload)
				}
				cancel(t, q, id, false) // safe to repeat
				becomesEmpty(t, q)
				if got.count() != 1 || info(t, q).Canceled != 1 {
					t.Errorf("%d handled, %+v", got.count(), info(t, q))
				}
			})
		})
	}
}

func TestCancelRemovesARetryThatWaits(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		var got record
		consume(t, open(t, url).Queue("q"), func(_ context.Context, m *leanmq.Message) error {
			got.add(m)
			if m.Attempt == 1 {
				return leanmq.RetryAfter(0, nil) // its entry is another one from now on
			}
			return leanmq.RetryAfter(48*time.Hour, nil)
		})
		for _, opts := range [][]leanmq.SendOption{nil, {leanmq.ID("mine")}} {
			n := got.count()
			waits := func() bool { i := info(t, q); return i.Scheduled == 1 && i.InFlight == 0 }
			id := send(t, q, "x", append(opts, leanmq.OrderingKey("k"))...)
			send(t, q, "behind it", leanmq.OrderingKey("k"), leanmq.ID("behind "+id))
			got.wait(t, n+2)
			eventually(t, "it waits", waits)
			cancel(t, q, id, true)
			if s := got.wait(t, n+4); s[n+2].Payload != "behind it" { // it has its turn now
				t.Errorf("handled %q", s[n+2].Payload)
			}
			eventually(t, "it waits, too", waits)
			cancel(t, q, "behind "+id, true)
			becomesEmpty(t, q)
		}
		if i := info(t, q); i.Canceled != 4 || i.Blocked != 0 {
			t.Errorf("%+v, want 4 canceled", i)
		}
	})
}

// What a pause has handed back belongs to nobody.
func TestCancelRemovesWhatWasHandedBack(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		g, worker := newGate(), open(t, url)
		consume(t, worker.Queue("q"), g.handle, leanmq.Concurrency(1), leanmq.LimitTo(leanmq.Limits{Running: 10}))
		send(t, q, "running")
		receive(t, "a handler that begins", g.began)
		id := send(t, q, "taken")
		p, err := q.Puller()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Receive(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		pause(t, q)
		eventually(t, "the pause is seen", worker.SeesPause) // or it might take that over
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		cancel(t, q, id, true)
		if i := info(t, q); i.Ready != 0 || i.InFlight != 1 || i.Consumers != 1 {
			t.Errorf("%+v, want only what runs", i)
		}
		close(g.letOff)
		resume(t, q)
		becomesEmpty(t, q)
		if g.count() != 1 {
			t.Errorf("%d handled, want 1", g.count())
		}
	})
}

// Under an ID of the sender's, or behind others with its ordering key, a message is
// not found; whoever gets it drops it.
func TestCanceledMessageIsDroppedByWhoeverGetsIt(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		keep := leanmq.KeepResult(time.Minute)
		send(t, q, "ready", leanmq.ID("ready"), keep)
		send(t, q, "first", leanmq.OrderingKey("k"))
		send(t, q, "blocked", leanmq.OrderingKey("k"), leanmq.ID("blocked"), leanmq.Unique("u"), keep)
		send(t, q, "last", leanmq.OrderingKey("k"))
		cancel(t, open(t, url).Queue("q"), "ready", false)
		cancel(t, open(t, url).Queue("q"), "blocked", false)
		var got record
		consume(t, open(t, url).Queue("q"), got.done)
		becomesEmpty(t, q)
		if p := got.payloads(); len(p) != 2 || p[0] != "first" || p[1] != "last" {
			t.Errorf("handled %q", p)
		}
		for _, id := range []string{"ready", "blocked"} {
			if r := resultOf(t, q, id); r == nil || r.Status != leanmq.ResultCanceled {
				t.Errorf("result of %s: %+v", id, r)
			}
		}
		if i := info(t, q); i.Canceled != 2 || i.Blocked != 0 {
			t.Errorf("%+v", i)
		}
		if n := rawClient(t, url).ZCard(t.Context(), "leanmq:{q}:q:canceled").Val(); n != 0 {
			t.Errorf("%d marks are left", n)
		}
		send(t, q, "again", leanmq.Unique("u"))
		got.wait(t, 3)
	})
}

func TestMessageSentLaterUnderACanceledIDIsHandled(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		var got record
		consume(t, open(t, url).Queue("q"), got.done)
		// With no time in between: the mark and the send may be of one millisecond.
		for n := range 30 {
			cancel(t, q, "id", false)
			send(t, q, "x", leanmq.ID("id"), leanmq.Dedupe(0))
			got.wait(t, n+1)
		}
		becomesEmpty(t, q)
		if n := info(t, q).Canceled; n != 0 {
			t.Errorf("%d were dropped", n)
		}
		// A dead letter that is sent again is another message as well.
		dying := open(t, url).Queue("dying")
		c := consume(t, dying, func(context.Context, *leanmq.Message) error { return leanmq.Reject(nil) })
		send(t, dying, "x", leanmq.ID("id"))
		letter := oneDead(t, dying)
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		cancel(t, dying, "id", false)
		consume(t, dying, got.done)
		if n, err := dying.Requeue(t.Context(), letter.Letter); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		got.wait(t, 31)
	})
}

func TestCanceledRequestIsAnswered(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		began := make(chan bool, 1)
		waits := func(ctx context.Context, m *leanmq.Message) error {
			began <- true
			<-ctx.Done()
			m.Reply(leanmq.Reply{Status: 500})
			return ctx.Err()
		}
		for name, at := range map[string]string{"found": "", "held": "before", "running": "running"} {
			mq := open(t, url)
			q := mq.Queue("q " + name)
			in, err := mq.OpenInbox(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			reply := make(chan *leanmq.Reply, 1)
			go func() {
				var opts []leanmq.SendOption
				if at != "" {
					opts = append(opts, leanmq.ID("request"))
				}
				r, err := in.Request(context.Background(), q, nil, opts...)
				if err != nil {
					t.Error(name, err)
				}
				reply <- r
			}()
			eventually(t, "the request is there", func() bool { return info(t, q).Ready == 1 })
			switch at {
			case "":
				id := rawClient(t, url).XRange(t.Context(), "leanmq:{q "+name+"}:q "+name, "-", "+").Val()[0].ID
				cancel(t, q, id, true)
			case "before":
				cancel(t, q, "request", false)
				consume(t, open(t, url).Queue(q.Name()), waits)
			default:
				consume(t, open(t, url).Queue(q.Name()), waits)
				receive(t, "a handler that begins", began)
				cancel(t, q, "request", false)
			}
			if r := receive(t, name+": a reply", reply); r == nil || r.Status != http.StatusGone {
				t.Errorf("%s: %+v, want status 410", name, r)
			}
			becomesEmpty(t, q)
			_ = in.Close()
		}
	})
}

func TestPullerPassesByWhatWasCanceled(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		p := newPuller(t, open(t, url).Queue("q"))
		send(t, q, "1", leanmq.ID("1"))
		send(t, q, "2", leanmq.ID("2"))
		cancel(t, q, "1", false)
		ms, err := p.Receive(t.Context(), 2)
		if err != nil || len(ms) != 1 || ms[0].ID != "2" {
			t.Fatalf("%v, %v", ms, err)
		}
		cancel(t, q, "2", false)
		if err := ms[0].Retry(t.Context(), leanmq.RetryAfter(0, nil)); err != nil {
			t.Fatal(err)
		}
		short, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer stop()
		if ms, err := p.Receive(short, 2); len(ms) != 0 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, %v", ms, err)
		}
		if i := info(t, q); i.Canceled != 2 || i.Ready+i.InFlight+i.Scheduled != 0 {
			t.Errorf("%+v", i)
		}
	})
}

func TestCancelRefuses(t *testing.T) {
	mq := open(t, "mem://")
	_, err := mq.Queue("q").Cancel(t.Context(), "")
	isInvalid(t, err, "id")
	_, err = mq.Queue("{").Cancel(t.Context(), "x")
	isInvalid(t, err, "queue name")
}

func redisZ(score int64, member string) redis.Z {
	return redis.Z{Score: float64(score), Member: member}
}
