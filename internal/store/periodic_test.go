package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

// job sets a periodic job whose tick is due since long.
func job(t *testing.T, q *store.Queue, name string, due time.Time) {
	t.Helper()
	p := store.Periodic{Name: name, Every: time.Minute, Missed: "once", Message: store.Envelope{Payload: []byte(name)}}
	if changed, err := q.SetPeriodic(t.Context(), &p, due); err != nil || !changed {
		t.Fatal(changed, err)
	}
}

// dueTicks are the ticks that Promote leaves to its caller.
func dueTicks(t *testing.T, s *store.Store, q *store.Queue) []store.Tick {
	t.Helper()
	_, ticks, err := s.PromoteDue(t.Context(), []*store.Queue{q}, 200)
	if err != nil {
		t.Fatal(err)
	}
	return ticks
}

func runOf(tick store.Tick, next time.Time) store.TickRun {
	return store.TickRun{Tick: tick, Run: []time.Time{tick.Due}, Next: next}
}

var due = time.Unix(1_700_000_000, 0)

func TestTickIsEnqueuedOnceByMany(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		_, q := openQueue(t, url)
		job(t, q, "job", due)
		const ticks = 20
		var wg sync.WaitGroup
		for range 4 { // processes that all see each tick
			s := open(t, url)
			mine := queue(t, s, "jobs")
			wg.Go(func() {
				for {
					_, found, err := s.PromoteDue(t.Context(), []*store.Queue{mine}, 10)
					if err != nil || len(found) > 1 {
						t.Error(found, err)
						return
					}
					if len(found) == 0 {
						return
					}
					next := found[0].Due.Add(time.Minute)
					if next.Sub(due) == ticks*time.Minute {
						next = time.Now().Add(time.Hour)
					}
					if _, err := s.RunTicks(t.Context(), []store.TickRun{runOf(found[0], next)}); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		got := waiting(t, q)
		if len(got) != ticks {
			t.Fatalf("%d messages, want %d", len(got), ticks)
		}
		for i, e := range got {
			if want := "job@" + due.Add(time.Duration(i)*time.Minute).UTC().Format(time.RFC3339); e.ID != want || string(e.Payload) != "job" {
				t.Errorf("message %d is %s with %q, want %s", i, e.ID, e.Payload, want)
			}
		}
	})
}

// Whoever saw a tick may die before it enqueues it, or think for so long that
// another one has: or that the job is not the same any more.
func TestTickOutlivesWhoeverSawIt(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		for name, between := range map[string]func(q *store.Queue) error{
			"dies": nil,
			"is paused": func(q *store.Queue) error {
				_, err := q.PausePeriodic(t.Context(), "job")
				return err
			},
			"is removed": func(q *store.Queue) error {
				_, err := q.RemovePeriodic(t.Context(), "job")
				return err
			},
			"is changed": func(q *store.Queue) error {
				p := store.Periodic{Name: "job", Every: time.Minute, Missed: "once", Message: store.Envelope{Payload: []byte("new")}}
				_, err := q.SetPeriodic(t.Context(), &p, due)
				return err
			},
		} {
			t.Run(name, func(t *testing.T) {
				s := open(t, url)
				q := queue(t, s, "jobs:"+name)
				job(t, q, "job", due)
				next := time.Now().Add(time.Hour)
				late := dueTicks(t, s, q)
				if len(late) != 1 || !late[0].Due.Equal(due) || late[0].Every != time.Minute || late[0].Now.Before(due) {
					t.Fatalf("%+v", late)
				}
				if between == nil { // another process runs it
					other := open(t, url)
					if _, err := other.RunTicks(t.Context(), []store.TickRun{runOf(dueTicks(t, other, q)[0], next)}); err != nil {
						t.Fatal(err)
					}
				} else if err := between(q); err != nil {
					t.Fatal(err)
				}
				before := len(waiting(t, q))
				if _, err := s.RunTicks(t.Context(), []store.TickRun{runOf(late[0], next)}); err != nil {
					t.Fatal(err)
				}
				if n := len(waiting(t, q)); n != before {
					t.Errorf("the late one enqueued %d", n-before)
				}
				if between == nil && before != 1 {
					t.Errorf("%d messages, want 1", before)
				}
			})
		}
	})
}

// Ticks that nobody can run stay, and nothing waits behind them.
func TestTicksDoNotHoldUpMessages(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		const jobs, most = 25, 10
		for i := range jobs {
			job(t, q, fmt.Sprint("job", i), due)
		}
		late := store.SendTerms{Due: due.Add(time.Second), Token: "late"}
		far := store.SendTerms{Delay: time.Hour, Token: "far"}
		for _, r := range append(q.SendIf(t.Context(), make([]store.Envelope, 15), late), q.SendIf(t.Context(), make([]store.Envelope, 2), far)...) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		if i := info(t, q); i.Scheduled != 17 {
			t.Errorf("%+v: ticks are no messages", i)
		}
		if es, err := q.Scheduled(t.Context(), 0, 16); err != nil || len(es) != 16 || es[15].ID != "far" {
			t.Errorf("%v, %v", es, err)
		}
		if es, err := q.Scheduled(t.Context(), 15, 5); err != nil || len(es) != 2 || es[0].ID != "far" {
			t.Errorf("%v, %v", es, err)
		}
		for _, want := range []int{10, 15, 15} {
			next, ticks, err := s.PromoteDue(t.Context(), []*store.Queue{q}, most)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(waiting(t, q)); n != want {
				t.Errorf("%d messages were moved, want %d", n, want)
			}
			if len(ticks) == 0 || len(ticks) > most {
				t.Errorf("%d ticks were returned", len(ticks))
			}
			if want == 10 && next[0].Next != 0 || want == 15 && next[0].Next < 59*time.Minute {
				t.Errorf("after %d messages it is to be looked at in %v", want, next[0].Next)
			}
		}
		if left, err := q.Delete(t.Context(), false); err != nil || left != 17 {
			t.Errorf("%d, %v: want 17 messages to keep it", left, err)
		}
	})
}

func TestQueueWithNothingButJobsIsEmpty(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		job(t, q, "a", due)
		job(t, q, "b", time.Now().Add(time.Hour))
		if _, err := q.PausePeriodic(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if i := info(t, q); i.Scheduled != 0 || !i.Exists {
			t.Errorf("%+v", i)
		}
		room := store.SendTerms{Limit: 1}
		for i, full := range []bool{false, true} {
			if r := q.SendIf(t.Context(), make([]store.Envelope, 1), room)[0]; (r.Err != nil) != full {
				t.Errorf("message %d: %v", i, r.Err)
			}
		}
		if err := q.Remove(t.Context(), waiting(t, q)[0].Entry); err != nil {
			t.Fatal(err)
		}
		if left, err := q.Delete(t.Context(), false); err != nil || left != 0 {
			t.Errorf("%d, %v", left, err)
		}
		if keys := rawClient(t, url).Keys(t.Context(), "*").Val(); len(keys) != 0 {
			t.Errorf("left behind: %v", keys)
		}
		if ticks := dueTicks(t, s, q); len(ticks) != 0 {
			t.Errorf("%+v", ticks)
		}
	})
}
