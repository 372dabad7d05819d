package leanmqtest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/leanmqtest"
)

// A process that dies is a puller that does not settle.
func TestDrainTakesOverAfterTheLease(t *testing.T) {
	t.Parallel()
	env := leanmqtest.New(t)
	q := env.Queue("q")
	send(t, q, "m")
	dying := func(name string) {
		puller, err := env.Open().Queue("q").Puller()
		if err != nil {
			t.Fatal(err)
		}
		got, err := puller.Receive(t.Context(), 1)
		if err != nil || len(got) != 1 {
			t.Fatalf("%s got %v, %v", name, got, err)
		}
	}
	dying("first")
	env.Advance(30*time.Second - time.Millisecond)
	same(t, env.Drain(q, done))
	env.Advance(time.Millisecond)
	dying("second")
	env.Advance(30 * time.Second)
	drained := env.Drain(q, done)
	same(t, drained, `q "m": done`)
	if drained[0].Deliveries != 3 || drained[0].Attempt != 1 {
		t.Errorf("%+v", drained[0].Message)
	}

	send(t, q, "killer")
	dying("third")
	env.Advance(30 * time.Second)
	same(t, env.Drain(q, done, leanmq.MaxDeliveries(1)))
	if dead := env.DeadLetters(q); len(dead) != 1 || dead[0].Reason != leanmq.ReasonCrashed {
		t.Errorf("%+v", dead)
	}
}

func TestDrainLosesWhatItsHandlerHoldsTooLong(t *testing.T) {
	t.Parallel()
	env := leanmqtest.New(t)
	q, other := env.Queue("q"), env.Open().Queue("q")
	send(t, q, "slow")
	send(t, q, "next")
	first := true
	drained := env.Drain(q, func(context.Context, *leanmq.Message) error {
		if first {
			first = false
			env.Advance(30 * time.Second)
			same(t, env.Drain(other, done), `q "slow": done`, `q "next": done`)
			send(t, q, "last")
		}
		return errors.New("too late")
	}, leanmq.Retry(leanmq.RetryPolicy{MaxAttempts: 1}))
	same(t, drained, `q "slow": lost: too late`, `q "last": dead (exhausted): too late`)
}
