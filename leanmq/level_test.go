package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
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
