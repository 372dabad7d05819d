package leanmq_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestHooksTellOfSends(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		for name, opts := range map[string][]leanmq.Option{
			"hooks alone":     nil,
			"with middleware": {leanmq.UseSend(func(next leanmq.SendFunc) leanmq.SendFunc { return next })},
		} {
			var o observer
			mq := open(t, url, append(opts, leanmq.Observe(o.hooks()))...)
			q := mq.Queue(strings.ReplaceAll(name, " ", "-"))
			consume(t, mq.Queue("requests"), new(record).done)
			send(t, q, "x")
			send(t, q, "x", leanmq.ID("once"))
			_, _ = q.Send(t.Context(), nil, leanmq.ID("once"))
			_, _ = q.SendMany(t.Context(), make([][]byte, 5))
			_, _ = mq.Queue(q.Name(), leanmq.MaxLen(9)).SendMany(t.Context(), make([][]byte, 4))
			_, _ = q.Send(t.Context(), nil, leanmq.Delay(-1))
			_, _ = q.Send(t.Context(), make([]byte, leanmq.MaxPayload+1))
			if _, err := openInbox(t, mq).Request(t.Context(), mq.Queue("requests"), nil); err != nil {
				t.Fatal(err)
			}
			want := []struct {
				queue       string
				count, sent int
				err         error
			}{
				{q.Name(), 1, 1, nil},
				{q.Name(), 1, 1, nil},
				{q.Name(), 1, 0, leanmq.ErrDuplicate},
				{q.Name(), 5, 5, nil},
				{q.Name(), 4, 2, leanmq.ErrQueueFull},
				{"requests", 1, 1, nil},
			}
			if len(o.sent) != len(want) {
				t.Fatalf("%s: told of %+v, want %d sends", name, o.sent, len(want))
			}
			for i, w := range want {
				s := o.sent[i]
				if s.Queue != w.queue || s.Count != w.count || s.Sent != w.sent || s.Took <= 0 ||
					(s.Err == nil) != (w.err == nil) || !errors.Is(s.Err, w.err) {
					t.Errorf("%s: send %d told as %+v, want %+v", name, i, s, w)
				}
			}
		}
	})
}
