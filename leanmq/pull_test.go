package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

func newPuller(t testing.TB, q *leanmq.Queue, opts ...leanmq.ConsumeOption) *leanmq.Puller {
	t.Helper()
	p, err := q.Puller(opts...)
	return testkit.Opened(t, p, err)
}

// pull receives exactly n messages.
func pull(t *testing.T, p *leanmq.Puller, n int) []*leanmq.Pulled {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	var out []*leanmq.Pulled
	for len(out) < n {
		ms, err := p.Receive(ctx, n-len(out))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, ms...)
	}
	return out
}

func TestPulledMessagesAreSettledOneByOne(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		ctx := t.Context()
		q := open(t, url).Queue("jobs")
		p := newPuller(t, q, quick)
		for i := range 5 {
			send(t, q, strconv.Itoa(i), leanmq.WithHeader("kk", "v"))
		}
		ms := pull(t, p, 5)
		for i, m := range ms {
			if string(m.Payload) != strconv.Itoa(i) || m.Attempt != 1 || m.Deliveries != 1 || m.Header.Get("kk") != "v" || m.Queue != "jobs" {
				t.Errorf("message %d: %+v", i, m.Message)
			}
		}
		if i := info(t, q); i.InFlight != 5 {
			t.Errorf("%+v", i)
		}
		if err := errors.Join(
			ms[0].Done(ctx),
			ms[1].Retry(ctx, leanmq.RetryAfter(time.Hour, errors.New("later"))),
			ms[2].Reject(ctx, errors.New("never")),
			ms[3].Retry(ctx, leanmq.Reject(errors.New("never, either"))),
		); err != nil {
			t.Fatal(err)
		}
		if i := info(t, q); i.InFlight != 1 || i.Scheduled != 1 || i.Dead != 2 || i.Ready != 0 {
			t.Errorf("%+v", i)
		}
		for i, want := range []string{"never", "never, either"} {
			if d := deadLetters(t, q)[i]; d.Error != want || d.Reason != leanmq.ReasonRejected || d.Message.Attempt != 1 {
				t.Errorf("%+v", d)
			}
		}
		for range 3 {
			if err := ms[4].Extend(ctx); err != nil {
				t.Error(err)
			}
		}
		if err := ms[4].Done(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestPulledMessageIsRetriedByThePolicy(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		p := newPuller(t, q, quick)
		send(t, q, "x")
		for attempt := 1; attempt <= 3; attempt++ {
			m := pull(t, p, 1)[0]
			if m.Attempt != attempt {
				t.Errorf("attempt %d, want %d", m.Attempt, attempt)
			}
			if err := m.Retry(t.Context(), errors.New("boom")); err != nil {
				t.Fatal(err)
			}
		}
		if d := oneDead(t, q); d.Reason != leanmq.ReasonExhausted || d.Message.Attempt != 3 || d.Error != "boom" {
			t.Errorf("%+v", d)
		}
	})
}

func TestExtendKeepsALease(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const lease = time.Second
		q := open(t, url).Queue("jobs")
		kept, other := newPuller(t, q, leanmq.Lease(lease)), newPuller(t, q, leanmq.Lease(lease))
		send(t, q, "extended")
		send(t, q, "forgotten")
		ms := pull(t, kept, 2)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(lease / 8):
					if err := ms[0].Extend(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		})
		if m := pull(t, other, 1)[0]; string(m.Payload) != "forgotten" || m.Deliveries != 2 {
			t.Errorf("%+v", m.Message)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*lease)
		defer cancel()
		if got, err := other.Receive(ctx, 1); len(got) != 0 || !errors.Is(err, context.DeadlineExceeded) {
			if len(got) > 0 && string(got[0].Payload) == "extended" {
				t.Errorf("the extended one went to another")
			}
		}
		close(stop)
		wg.Wait()
		if err := ms[0].Done(t.Context()); err != nil {
			t.Error(err)
		}
		if err := ms[1].Done(t.Context()); !errors.Is(err, leanmq.ErrLeaseLost) {
			t.Errorf("%v", err)
		}
	})
}

func TestConcurrentReceiversGetEachMessageOnce(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		const n = 400
		q := open(t, url).Queue("jobs")
		p := newPuller(t, q)
		for i := range n {
			send(t, q, strconv.Itoa(i))
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var mu sync.Mutex
		got := map[string]int{}
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				for {
					ms, err := p.Receive(ctx, 7)
					if err != nil {
						if !errors.Is(err, context.Canceled) {
							t.Error(err)
						}
						return
					}
					for _, m := range ms {
						if err := m.Done(t.Context()); err != nil {
							t.Error(err)
						}
						mu.Lock()
						got[string(m.Payload)]++
						if len(got) == n {
							cancel()
						}
						mu.Unlock()
					}
				}
			})
		}
		wg.Wait()
		for payload, times := range got {
			if times != 1 {
				t.Errorf("%s was received %d times", payload, times)
			}
		}
		becomesEmpty(t, q)
	})
}

func TestClosedPullerHandsBack(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		p := newPuller(t, q, leanmq.Lease(time.Hour))
		for i := range 5 {
			send(t, q, strconv.Itoa(i))
		}
		ms := pull(t, p, 5)
		if err := ms[0].Done(t.Context()); err != nil {
			t.Error(err)
		}
		for range 2 {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := ms[1].Done(t.Context()); !errors.Is(err, leanmq.ErrLeaseLost) {
			t.Errorf("settled after it was handed back: %v", err)
		}
		var got record
		c := consume(t, q, got.done, leanmq.Lease(time.Hour))
		for _, m := range got.wait(t, 4) {
			if m.Deliveries != 1 || m.Attempt != 1 {
				t.Errorf("%+v", m)
			}
		}
		becomesEmpty(t, q)
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		if i := info(t, q); i.Consumers != 0 {
			t.Errorf("%+v", i)
		}
	})
}

func TestReceiveSkipsWhatNobodyShallSee(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		p := newPuller(t, q)
		if err := rawClient(t, url).Do(t.Context(), "XADD", "leanmq:{jobs}:jobs", "*", "foo", "bar").Err(); err != nil {
			t.Fatal(err)
		}
		send(t, q, "expires", leanmq.TTL(time.Millisecond))
		send(t, q, "good")
		expire(time.Millisecond)
		m := pull(t, p, 1)[0]
		if string(m.Payload) != "good" {
			t.Errorf("%+v", m.Message)
		}
		if err := m.Done(t.Context()); err != nil {
			t.Error(err)
		}
		if d := oneDead(t, q); d.Reason != leanmq.ReasonMalformed {
			t.Errorf("%+v", d)
		}
		if i := info(t, q); i.Ready+i.InFlight != 0 {
			t.Errorf("%+v", i)
		}
	})
}

func TestPullerAndConsumersShareAQueue(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		q := mq.Queue("jobs")
		p := newPuller(t, q)
		var got record
		c := consume(t, q, got.done)
		const n = 200
		pulled := 0
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				ms, err := p.Receive(ctx, 3)
				if err != nil {
					return
				}
				for _, m := range ms {
					if err := m.Done(t.Context()); err != nil {
						t.Error(err)
					}
					pulled++
				}
			}
		})
		for i := range n {
			send(t, q, fmt.Sprint(i))
		}
		becomesEmpty(t, q)
		cancel()
		wg.Wait()
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		if got.count()+pulled != n {
			t.Errorf("%d were handled and %d pulled, want %d together", got.count(), pulled, n)
		}
	})
}

func TestPullerOptionsAreChecked(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		_, err := q.Puller(leanmq.Lease(time.Millisecond))
		isInvalid(t, err, "Lease")
		p := newPuller(t, q)
		for _, n := range []int{0, -1, 10001} {
			_, err := p.Receive(t.Context(), n)
			isInvalid(t, err, "n")
		}
	})
}
