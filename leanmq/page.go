package leanmq

import (
	"context"
	"sync"

	"github.com/leanmq/leanmq/internal/store"
)

// pageSize is how many messages one command reads, or dead letters it moves.
const pageSize = 500

// pages reads a stream page by page until each returns false. The next page is on its
// way while each sees this one.
func pages(ctx context.Context, q *Queue, op string,
	read func(ctx context.Context, after string, n int) ([]store.Entry, error),
	each func(*store.Entry) bool, fail func(error),
) {
	if q.err != nil {
		fail(q.wrap(op, "", q.err))
		return
	}
	var page, next []store.Entry
	var err error
	var reading sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	defer reading.Wait()
	defer stop()
	for next, err = read(ctx, "", pageSize); ; reading.Wait() {
		if err != nil {
			fail(q.wrap(op, "", err))
			return
		}
		page = next
		more := len(page) == pageSize
		if more {
			reading.Go(func() { next, err = read(ctx, page[pageSize-1].Entry, pageSize) })
		}
		for i := range page {
			if !each(&page[i]) {
				return
			}
		}
		if !more {
			return
		}
	}
}
