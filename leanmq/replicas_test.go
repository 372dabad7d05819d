package leanmq_test

import (
	"errors"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestReplicasReportsWhatItReached(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		q := open(t, url).Queue("jobs")
		sends := map[string]func(n int) error{
			"plain": func(n int) error { return sentAnyway(t, q, leanmq.Replicas(n, 5*time.Second)) },
			"by script": func(n int) error {
				return sentAnyway(t, q, leanmq.Replicas(n, 5*time.Second), leanmq.ID("x"+time.Now().String()))
			},
			"later": func(n int) error {
				return sentAnyway(t, q, leanmq.Replicas(n, 5*time.Second), leanmq.Delay(time.Millisecond))
			},
			"many": func(n int) error {
				ids, err := q.SendMany(t.Context(), [][]byte{{1}, {2}}, leanmq.Replicas(n, 5*time.Second))
				if len(ids) != 2 || ids[0] == "" || ids[1] == "" {
					t.Errorf("%v, %v", ids, err)
				}
				return err
			},
		}
		for name, send := range sends {
			there := 0
			switch {
			case has(t, "cluster"):
				there = 1
			case has(t, "sentinel"):
				there = 2
			}
			for n := 1; n <= there; n++ {
				if err := send(n); err != nil {
					t.Errorf("%s to %d of %d replicas: %v", name, n, there, err)
				}
			}
		}
		// As many as there are not.
		var few *leanmq.NotReplicatedError
		err := sentAnyway(t, q, leanmq.Replicas(50, 30*time.Millisecond))
		if !errors.Is(err, leanmq.ErrNotReplicated) || !errors.As(err, &few) || few.Want != 50 || few.Got > 2 || few.Err != nil {
			t.Errorf("%v", err)
		}
		var got record
		consume(t, q, got.done)
		becomesEmpty(t, q)
	})
}

// sentAnyway sends a message, which has to have an id whatever the error is.
func sentAnyway(t *testing.T, q *leanmq.Queue, opts ...leanmq.SendOption) error {
	t.Helper()
	id, err := q.Send(t.Context(), []byte("x"), opts...)
	if id == "" {
		t.Errorf("no id, %v", err)
	}
	return err
}

// has reports whether the test runs on the store called name.
func has(t *testing.T, name string) bool {
	return t.Name()[len(t.Name())-len(name):] == name
}

func TestReplicasOutOfBounds(t *testing.T) {
	q := open(t, "mem://"+t.Name()).Queue("jobs")
	for _, o := range []leanmq.SendOption{
		leanmq.Replicas(0, time.Second), leanmq.Replicas(101, time.Second),
		leanmq.Replicas(1, 0), leanmq.Replicas(1, time.Hour),
	} {
		_, err := q.Send(t.Context(), nil, o)
		isInvalid(t, err, "Replicas")
	}
}
