package leanmq_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

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
