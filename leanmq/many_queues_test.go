package leanmq_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestIdleQueuesDelayNobody(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq, sender := open(t, url), open(t, url)
		var got record
		const queues = 21
		for i := range queues {
			consume(t, mq.Queue(fmt.Sprint("svc:q", i)), got.done)
		}
		var took []time.Duration
		for round := range 2 {
			for i := range queues {
				n := round*queues + i
				begin := time.Now()
				id := send(t, sender.Queue(fmt.Sprint("svc:q", i)), "x")
				m := got.wait(t, n+1)[n]
				if m.ID != id || m.Queue != fmt.Sprint("svc:q", i) {
					t.Errorf("%+v", m)
				}
				took = append(took, m.At.Sub(begin))
			}
		}
		if m := median(took); m > slack*100*time.Millisecond {
			t.Errorf("half of the messages took more than %v", m)
		}
		for _, d := range took[queues:] {
			if d > 1900*time.Millisecond { // less than a blocked read takes
				t.Errorf("a message took %v", d)
			}
		}
	})
}

func TestSaturatedQueueDelaysNobodyAndResumes(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq, sender := open(t, url), open(t, url)
		slow, other := sender.Queue("slow"), sender.Queue("other")
		var fromSlow, fromOther record
		gate := make(chan struct{})
		consume(t, mq.Queue("slow"), func(_ context.Context, m *leanmq.Message) error {
			<-gate
			fromSlow.add(m)
			return nil
		}, leanmq.Concurrency(3))
		consume(t, mq.Queue("other"), fromOther.done)
		for i := range 50 {
			send(t, slow, fmt.Sprint(i))
		}
		eventually(t, "all workers are blocked", func() bool { return info(t, slow).InFlight == 3 })
		var took []time.Duration
		for n := range 30 {
			begin := time.Now()
			send(t, other, "x")
			took = append(took, fromOther.wait(t, n+1)[n].At.Sub(begin))
		}
		if m := median(took); m > slack*100*time.Millisecond {
			t.Errorf("beside a saturated queue messages took %v", took)
		}
		if i := info(t, slow); i.Ready != 47 || i.InFlight != 3 {
			t.Errorf("no more than its workers can hold: %+v", i)
		}
		// Freed one by one: each makes room for the next at once.
		for n := range 20 {
			begin := time.Now()
			gate <- struct{}{}
			fromSlow.wait(t, n+1)
			eventually(t, "the next one is fetched", func() bool { return info(t, slow).InFlight >= 3 })
			if d := time.Since(begin); d > 1900*time.Millisecond { // less than a blocked read takes
				t.Errorf("a worker that was freed got its next message after %v", d)
			}
		}
		close(gate)
		fromSlow.wait(t, 50)
		becomesEmpty(t, slow)
		becomesEmpty(t, other)
	})
}

// A worker gets free while the shared read blocks on the other queues, again and
// again at another moment of it: none of these moments may be missed.
func TestFreedWorkerIsNeverForgotten(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		const queues, rounds = 3, 150
		var handled [queues]atomic.Int64
		for i := range queues {
			consume(t, mq.Queue(fmt.Sprint("q", i)), func(context.Context, *leanmq.Message) error {
				time.Sleep(time.Duration(i*100) * time.Microsecond) // work
				handled[i].Add(1)
				return nil
			}, leanmq.Concurrency(1))
		}
		for i := range queues {
			if _, err := mq.Queue(fmt.Sprint("q", i)).SendMany(t.Context(), make([][]byte, rounds)); err != nil {
				t.Fatal(err)
			}
		}
		last, progress := int64(0), time.Now()
		eventually(t, "all are handled", func() bool {
			n := int64(0)
			for i := range queues {
				n += handled[i].Load()
			}
			if n != last {
				if d := time.Since(progress); d > 1900*time.Millisecond { // less than a blocked read takes
					t.Errorf("nothing was handled for %v although messages waited", d)
				}
				last, progress = n, time.Now()
			}
			return n == queues*rounds
		})
	})
}

func TestQueuesConsumedByOneClientComeAndGo(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		var steady record
		consume(t, mq.Queue("steady"), steady.done)
		for n := range 10 {
			q := mq.Queue(fmt.Sprint("guest", n))
			var got record
			c := consume(t, q, got.done)
			begin := time.Now()
			send(t, q, "x")
			send(t, mq.Queue("steady"), "x")
			got.wait(t, 1)
			steady.wait(t, n+1)
			if d := time.Since(begin); d > 1900*time.Millisecond { // less than a blocked read takes
				t.Errorf("round %d took %v", n, d)
			}
			if err := c.Stop(); err != nil {
				t.Error(err)
			}
			if err := q.Delete(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}

// Somebody deletes a queue that is consumed: the others do not notice, and it
// comes back with its next message.
func TestDeletedQueueIsConsumedAgain(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq, operator := open(t, url), open(t, url)
		var deleted, other record
		consume(t, mq.Queue("deleted"), deleted.done)
		consume(t, mq.Queue("other"), other.done)
		for n := range 3 {
			send(t, operator.Queue("deleted"), fmt.Sprint(n))
			send(t, operator.Queue("other"), fmt.Sprint(n))
			if m := deleted.wait(t, n+1)[n]; m.Payload != fmt.Sprint(n) {
				t.Errorf("%+v", m)
			}
			other.wait(t, n+1)
			becomesEmpty(t, operator.Queue("deleted"))
			if err := operator.Queue("deleted").Delete(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}
