package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/store"
)

func TestDeleteRefusesAQueueWithMessages(t *testing.T) {
	for _, state := range []string{"ready", "in flight", "scheduled", "dead"} {
		t.Run(state, func(t *testing.T) {
			redistest.ForEachStore(t, func(t *testing.T, url string) {
				s, q := openQueue(t, url)
				switch state {
				case "ready":
					send(t, q, "x")
				case "in flight":
					send(t, q, "x")
					join(t, s, q, "w").mustRead(1)
				case "scheduled":
					q.SendIf(t.Context(), make([]store.Envelope, 1), store.SendTerms{Delay: time.Hour, Token: "t"})
				case "dead":
					bury(t, s, q, 1)
				}
				keep := queue(t, s, "jobs:keep")
				send(t, keep, "x")
				before := info(t, q)
				if left, err := q.Delete(t.Context(), false); left != 1 || err != nil {
					t.Errorf("%d, %v", left, err)
				}
				if got := info(t, q); got != before {
					t.Errorf("was %+v, is %+v", before, got)
				}
				if left, err := q.Delete(t.Context(), true); left != 0 || err != nil {
					t.Errorf("forced: %d, %v", left, err)
				}
				if got := info(t, q); got != (store.Info{}) {
					t.Errorf("%+v", got)
				}
				names, err := s.QueueNames(t.Context())
				if err != nil || !slices.Equal(names, []string{"jobs:keep"}) {
					t.Errorf("queues: %v, %v", names, err)
				}
				c := rawClient(t, url)
				for _, key := range c.Keys(t.Context(), "*").Val() {
					if key != keep.Stream && key != "leanmq:queues" {
						t.Errorf("%s is left", key)
					}
				}
				if i := info(t, keep); i.Ready != 1 {
					t.Errorf("its neighbour: %+v", i)
				}
				// It comes back with its next message, also in the registry.
				send(t, q, "again")
				if names, _ := s.QueueNames(t.Context()); !slices.Contains(names, "jobs") {
					t.Errorf("queues: %v", names)
				}
			})
		})
	}
}

func TestCreateMakesAnEmptyQueueAndKeepsAFullOne(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		s, q := openQueue(t, url)
		if i := info(t, q); i.Exists {
			t.Errorf("%+v", i)
		}
		for range 2 {
			if err := q.Create(t.Context()); err != nil {
				t.Fatal(err)
			}
			if i := info(t, q); !i.Exists {
				t.Errorf("%+v", i)
			}
			send(t, q, "x")
		}
		if i := info(t, q); i.Ready != 2 {
			t.Errorf("%+v", i)
		}
		if names, err := s.QueueNames(t.Context()); err != nil || !slices.Equal(names, []string{"jobs"}) {
			t.Errorf("%v, %v", names, err)
		}
	})
}
