package leanmq

import (
	"context"
	"iter"
)

// Blocked iterates over the messages that wait for another one with their
// [OrderingKey], those with the same key in their order, without consuming them.
func (q *Queue) Blocked(ctx context.Context) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		if q.err != nil {
			yield(nil, q.wrap("blocked", "", q.err))
			return
		}
		keys, err := q.sq.OrderKeys(ctx)
		if err != nil {
			yield(nil, q.wrap("blocked", "", err))
			return
		}
		for _, key := range keys {
			for at := 0; ; {
				page, err := q.sq.Blocked(ctx, key, at, pageSize)
				if err != nil {
					yield(nil, q.wrap("blocked", "", err))
					return
				}
				for i := range page {
					if !yield(q.show(&page[i]), nil) {
						return
					}
				}
				if at += len(page); len(page) < pageSize {
					break
				}
			}
		}
	}
}
