package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

var levelNames = map[leanmq.Level]string{
	leanmq.Low: "low", leanmq.Normal: "normal", leanmq.High: "high", leanmq.Urgent: "urgent",
}

func sendLevels(t testing.TB, q *leanmq.Queue, n int, levels ...leanmq.Level) {
	t.Helper()
	for range n {
		for _, l := range levels {
			send(t, q, levelNames[l], leanmq.Priority(l))
		}
	}
}

// slowly notes messages and takes longer than messages are fetched ahead for.
func slowly(got *record) leanmq.Handler {
	return func(_ context.Context, m *leanmq.Message) error {
		got.add(m)
		time.Sleep(12 * time.Millisecond)
		return nil
	}
}

func TestFreeWorkerTakesTheMostUrgentMessage(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		sendLevels(t, q, 7, leanmq.Low, leanmq.Normal, leanmq.Urgent, leanmq.High)
		if i := info(t, q); i.Ready != 28 {
			t.Errorf("%+v", i)
		}
		var got record
		consume(t, q, slowly(&got), leanmq.Concurrency(1))
		var want []string
		for _, l := range []leanmq.Level{leanmq.Urgent, leanmq.High, leanmq.Normal, leanmq.Low} {
			want = append(want, slices.Repeat([]string{levelNames[l]}, 7)...)
		}
		got.wait(t, 28)
		if p := got.payloads(); !slices.Equal(p, want) {
			t.Errorf("%v", p)
		}
		becomesEmpty(t, q)
	})
}

// Messages that a process has fetched ahead do not keep a more urgent one waiting.
func TestUrgentMessageOvertakesWhatWasFetched(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		hold := make(chan struct{})
		var got record
		var n atomic.Int64
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			if n.Add(1) > 500 { // the first ones are fast: many are fetched ahead
				<-hold
				time.Sleep(5 * time.Millisecond) // gives the fetched one the time to reach its place
			}
			got.add(m)
			return nil
		}, leanmq.Concurrency(2))
		for range 20 {
			if _, err := q.SendMany(t.Context(), slices.Repeat([][]byte{[]byte("low")}, 50), leanmq.Priority(leanmq.Low)); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "both workers are busy", func() bool { return n.Load() == 502 })
		send(t, q, "urgent", leanmq.Priority(leanmq.Urgent))
		eventually(t, "it is fetched, as others were", func() bool {
			sq, _ := open(t, url).Store().Queue("q")
			i, err := sq.Level(3).InFlight(t.Context(), 1)
			return err == nil && len(i) == 1
		})
		close(hold)
		got.wait(t, 530)
		if at := slices.Index(got.payloads(), "urgent"); at < 0 || at > 520 {
			t.Errorf("it was number %d, two were running", at-500)
		}
	})
}

// Urgent work that never ends lets one message in 32 of the others through.
func TestUrgentWorkStarvesNobody(t *testing.T) {
	for _, limited := range []bool{false, true} {
		t.Run(fmt.Sprint("limited ", limited), func(t *testing.T) {
			redistest.ForEachStore(t, func(t *testing.T, url string) {
				q := open(t, url).Queue("q")
				sendLevels(t, q, 160, leanmq.Urgent)
				sendLevels(t, q, 2, leanmq.Low, leanmq.Normal)
				opts := []leanmq.ConsumeOption{leanmq.Concurrency(1)}
				if limited {
					opts = append(opts, leanmq.LimitTo(leanmq.Limits{Rate: 250, Running: 1}))
				}
				var got record
				consume(t, q, func(_ context.Context, m *leanmq.Message) error {
					got.add(m)
					time.Sleep(2 * time.Millisecond)
					return nil
				}, opts...)
				got.wait(t, 164)
				p := got.payloads()
				for _, low := range []string{"low", "normal"} {
					// In turn with the other level, and among what was fetched ahead.
					if at := slices.Index(p, low); at < 0 || at > 64+16 {
						t.Errorf("the first one of level %s was number %d", low, at)
					}
				}
				if n := slices.Index(p, "urgent"); n != 0 {
					t.Errorf("began with %v", p[:5])
				}
			})
		})
	}
}

func TestWeightsShareTheWorkers(t *testing.T) {
	for _, limited := range []bool{false, true} {
		t.Run(fmt.Sprint("limited ", limited), func(t *testing.T) {
			redistest.ForEachStore(t, func(t *testing.T, url string) {
				q := open(t, url).Queue("q")
				sendLevels(t, q, 40, leanmq.Urgent, leanmq.Normal, leanmq.Low)
				opts := []leanmq.ConsumeOption{
					leanmq.Concurrency(1),
					leanmq.Weights(map[leanmq.Level]int{leanmq.Urgent: 5, leanmq.Normal: 3, leanmq.Low: 2}),
				}
				if limited {
					opts = append(opts, leanmq.LimitTo(leanmq.Limits{Running: 1, Rate: 1000, Burst: 5}))
				}
				var got record
				consume(t, q, slowly(&got), opts...)
				got.wait(t, 61)
				p := got.payloads()
				for at := 1; at+10 <= 61; at++ { // the first one is taken before it is known what there is
					n := map[string]int{}
					for _, l := range p[at : at+10] {
						n[l]++
					}
					if n["urgent"] != 5 || n["normal"] != 3 || n["low"] != 2 {
						t.Fatalf("%v from number %d: %v", n, at, p)
					}
				}
			})
		})
	}
}

// Consumers learn of a level by themselves, also of one that comes to be while they
// wait, and what one of them leaves behind another one takes.
func TestLevelsComeToBeWhileConsumersRun(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		var got record
		for range 2 {
			consume(t, open(t, url).Queue("q"), got.done)
		}
		send(t, q, "x")
		got.wait(t, 1)
		for i, l := range []leanmq.Level{leanmq.Low, leanmq.High, leanmq.Urgent} {
			begin := time.Now()
			send(t, q, "x", leanmq.Priority(l))
			got.wait(t, i+2)
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("the first message of level %d took %v", l, took)
			}
		}
		becomesEmpty(t, q)
	})
}

func TestMessagesOfLevelsAreHandedBackAndTakenOver(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		sendLevels(t, q, 2, leanmq.Low, leanmq.Normal, leanmq.Urgent)
		p, err := open(t, url).Queue("q").Puller()
		if err != nil {
			t.Fatal(err)
		}
		ms, err := p.Receive(t.Context(), 10)
		if err != nil || len(ms) != 6 || string(ms[0].Payload) != "urgent" || string(ms[5].Payload) != "low" {
			t.Fatal(ms, err)
		}
		if i := info(t, q); i.InFlight != 6 || i.Ready != 0 {
			t.Errorf("%+v", i)
		}
		if err := p.Close(); err != nil { // hands back
			t.Fatal(err)
		}
		crashed := newPuller(t, open(t, url).Queue("q"))
		if ms, err = crashed.Receive(t.Context(), 10); err != nil || len(ms) == 0 {
			t.Fatal(ms, err)
		}
		var got record
		consume(t, q, got.done, leanmq.Lease(300*time.Millisecond))
		for _, m := range got.wait(t, 6) {
			if m.Deliveries > 2 || m.Attempt != 1 {
				t.Errorf("%+v", m)
			}
		}
		becomesEmpty(t, q)
		for _, m := range ms {
			if err := m.Done(t.Context()); !errors.Is(err, leanmq.ErrLeaseLost) {
				t.Errorf("%v", err)
			}
		}
	})
}

// Retries and dead letters stay in their level, and messages of two levels are never
// taken for one another, though their entries may have the same id.
func TestLevelsStayApart(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("q")
		ids := map[string]bool{}
		var sends sync.WaitGroup
		var mu sync.Mutex
		for _, l := range []leanmq.Level{leanmq.Low, leanmq.Normal, leanmq.High, leanmq.Urgent} {
			sends.Go(func() {
				for range 25 {
					id, err := q.Send(context.Background(), []byte(levelNames[l]), leanmq.Priority(l))
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					ids[id] = true
					mu.Unlock()
				}
			})
		}
		sends.Wait()
		if len(ids) != 100 {
			t.Errorf("100 messages have %d ids", len(ids))
		}
		var got record
		consume(t, q, func(_ context.Context, m *leanmq.Message) error {
			got.add(m)
			switch {
			case m.Attempt < 3:
				return errors.New("again")
			case m.Attempt == 3 && string(m.Payload) == "high":
				return leanmq.Reject(nil)
			}
			return nil
		}, leanmq.Retry(leanmq.RetryPolicy{MinBackoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond}))
		got.wait(t, 300)
		eventually(t, "all are handled", func() bool {
			i := info(t, q)
			return i.Ready+i.InFlight+i.Scheduled == 0 && i.Dead == 25
		})
		runs := map[string]int{}
		for _, m := range got.list() {
			runs[m.ID+m.Payload]++
			if !ids[m.ID] {
				t.Errorf("%s was not sent", m.ID)
			}
		}
		for id, n := range runs {
			if n != 3 {
				t.Errorf("%s was handled %d times", id, n)
			}
		}
		if len(runs) != 100 {
			t.Errorf("%d messages were handled", len(runs))
		}
	})
}

func TestLevelsCountAndAreDeleted(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q", leanmq.MaxLen(4))
		sendLevels(t, q, 1, leanmq.Low, leanmq.Normal, leanmq.High, leanmq.Urgent)
		if _, err := q.Send(t.Context(), nil); !errors.Is(err, leanmq.ErrQueueFull) {
			t.Errorf("a fifth one: %v", err)
		}
		if err := q.Delete(t.Context()); !errors.Is(err, leanmq.ErrNotEmpty) {
			t.Errorf("%v", err)
		}
		if err := q.ForceDelete(t.Context()); err != nil {
			t.Error(err)
		}
		if keys := rawClient(t, url).Keys(t.Context(), "*").Val(); len(keys) != 0 {
			t.Errorf("left: %v", keys)
		}
	})
}

// After a flush the groups of all levels are made again, and a queue that is deleted
// under a consumer of levels leaves nothing that a second Delete does not take away.
func TestLevelsAfterAFlush(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("q")
		c := rawClient(t, url)
		var got record
		worker := consume(t, open(t, url).Queue("q"), got.done, leanmq.Lease(300*time.Millisecond))
		sendLevels(t, q, 3, leanmq.Low, leanmq.Normal, leanmq.Urgent)
		got.wait(t, 9)
		for round := range 3 {
			if err := c.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			sendLevels(t, q, 3, leanmq.Urgent, leanmq.Normal, leanmq.High)
			got.wait(t, 18+9*round)
		}
		becomesEmpty(t, q)
		if err := q.ForceDelete(t.Context()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the consumer is back", func() bool { return info(t, q).Consumers == 1 })
		if err := worker.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := q.Delete(t.Context()); err != nil {
			t.Error(err)
		}
		for _, key := range c.Keys(t.Context(), "leanmq:{q}:*").Val() {
			t.Errorf("left: %s", key)
		}
	})
}

func TestLevelBounds(t *testing.T) {
	q := open(t, "mem://").Queue("q")
	for _, l := range []leanmq.Level{-2, 3, 100} {
		_, err := q.Send(t.Context(), nil, leanmq.Priority(l))
		isInvalid(t, err, "Priority")
	}
	for _, w := range []map[leanmq.Level]int{
		{leanmq.Low: 0}, {leanmq.Low: -1}, {leanmq.Low: 1001}, {7: 1},
	} {
		err := q.Consume(t.Context(), func(context.Context, *leanmq.Message) error { return nil }, leanmq.Weights(w))
		isInvalid(t, err, "Weights")
		if !strings.Contains(fmt.Sprint(err), "1000") {
			t.Errorf("%v does not tell the bounds", err)
		}
	}
}
