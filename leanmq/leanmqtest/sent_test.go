package leanmqtest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/leanmq"
	"github.com/leanmq/leanmq/leanmq/leanmqtest"
)

func TestSent(t *testing.T) {
	t.Parallel()
	env := leanmqtest.New(t)
	q := env.Queue("q")
	if sent := env.Sent(q); len(sent) != 0 {
		t.Errorf("%+v", sent)
	}
	send(t, q, "tomorrow", leanmq.Delay(24*time.Hour))
	send(t, q, "soon", leanmq.Delay(time.Second))
	send(t, q, "first", leanmq.ID("x"), leanmq.WithHeader("lang", "en"), leanmq.Target("t"))
	send(t, q, "second")
	env.RequireSent(q, "first", "second", "soon", "tomorrow")
	sent := env.Sent(q)
	if m := sent[0]; m.ID != "x" || m.Header.Get("lang") != "en" || m.Target != "t" || !m.Due.IsZero() {
		t.Errorf("%+v", m)
	}
	if got := sent[3].Due.Sub(env.Now()); got != 24*time.Hour {
		t.Errorf("tomorrow is in %v", got)
	}
}

// A failed check shows what is there.
func TestFailuresShowTheQueue(t *testing.T) {
	t.Parallel()
	fill := func(env *leanmqtest.Env) *leanmq.Queue {
		q := env.Queue("q")
		send(t, q, "bad")
		send(t, q, "busy")
		env.Drain(q, func(_ context.Context, m *leanmq.Message) error {
			if string(m.Payload) == "bad" {
				return leanmq.Reject(errors.New("no such product"))
			}
			return leanmq.RetryAfter(time.Hour, errors.New("come back later"))
		})
		send(t, q, strings.Repeat("long", 100))
		return q
	}
	const long = `"longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong"… (400 bytes)`
	const busy = "\t\"busy\", due in 1h0m0s, attempt 2 after: come back later\n"
	for _, tt := range []struct {
		check func(*leanmqtest.Env)
		want  string
	}{
		{
			func(env *leanmqtest.Env) { env.RequireEmpty(fill(env)) },
			"leanmqtest: queue \"q\" is not empty, it holds\n\t" + long + "\n" + busy + "\t\"bad\", dead (rejected): no such product\n",
		},
		{
			func(env *leanmqtest.Env) { env.RequireSent(fill(env), "busy") },
			"leanmqtest: in queue \"q\" wait\n\t" + long + "\n" + busy + "want\n\t\"busy\"\n",
		},
		{
			func(env *leanmqtest.Env) { env.RequireSent(env.Queue("q"), "m") },
			"leanmqtest: in queue \"q\" wait\n\t(nothing)\nwant\n\t\"m\"\n",
		},
		{
			func(env *leanmqtest.Env) { env.Advance(-time.Second) },
			"leanmqtest: Advance by -1s: a clock does not go back",
		},
	} {
		if got := failure(t, tt.check); got != tt.want {
			t.Errorf("failed with\n%s\nwant\n%s", got, tt.want)
		}
	}
}
