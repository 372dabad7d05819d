package system

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"
)

const (
	bareDead = "dead"
	deadPage = 500
)

// Bury writes to the stream of the dead at once.
func (b *bare) Bury(ctx context.Context, n int, payload []byte) error {
	batch := slices.Repeat([][]byte{payload}, deadPage)
	for left := n; left > 0; left -= deadPage {
		pl := b.rdb.Pipeline()
		for _, p := range batch[:min(left, deadPage)] {
			pl.XAdd(ctx, entry(bareDead, p))
		}
		if _, err := pl.Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (b *bare) ListDead(ctx context.Context) (n int, err error) {
	return n, b.deadPages(ctx, func(page []redis.XMessage) error {
		n += len(page)
		return nil
	})
}

// RequeueDead adds a page and then deletes it: not atomically.
func (b *bare) RequeueDead(ctx context.Context) (n int, err error) {
	return n, b.deadPages(ctx, func(page []redis.XMessage) error {
		n += len(page)
		pl := b.rdb.Pipeline()
		ids := make([]string, 0, len(page))
		for _, m := range page {
			pl.XAdd(ctx, &redis.XAddArgs{Stream: bareStream, Values: []any{"p", m.Values["p"]}})
			ids = append(ids, m.ID)
		}
		pl.XDel(ctx, bareDead, ids...)
		_, err := pl.Exec(ctx)
		return err
	})
}

func (b *bare) deadPages(ctx context.Context, each func([]redis.XMessage) error) error {
	for after := "-"; ; {
		page, err := b.rdb.XRangeN(ctx, bareDead, after, "+", deadPage).Result()
		if err != nil || len(page) == 0 {
			return err
		}
		if err := each(page); err != nil {
			return err
		}
		after = "(" + page[len(page)-1].ID
	}
}
