package leanmq

import (
	"context"
	"iter"

	"github.com/leanmq/leanmq/internal/store"
)

// Waiting iterates over the messages that are ready or in flight, the most urgent
// level first and each oldest first, without consuming them.
func (q *Queue) Waiting(ctx context.Context) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		levels, err := q.levels(ctx)
		if err != nil {
			yield(nil, q.wrap("waiting", "", err))
			return
		}
		more := true
		for i := 0; i < len(levels) && more; i++ {
			pages(ctx, q, "waiting", levels[i].Waiting, func(e *store.Entry) bool {
				more = yield(q.show(e), nil)
				return more
			}, func(err error) {
				more = false
				yield(nil, err)
			})
		}
	}
}
