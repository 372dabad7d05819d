package leanmq

import (
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/store"
)

// Who always comes too late looks later and later, up to a bound; who finds
// something is at the front again.
func TestSchedulersStandBack(t *testing.T) {
	q, now := &scheduled{}, time.Now()
	late := func(stand store.Promoted) time.Duration {
		q.looked(now, stand)
		return q.next.Sub(now) - stand.Next
	}
	soon := store.Promoted{Next: time.Second}
	if d := late(soon); d != 0 || !q.due {
		t.Errorf("it looks %v too late, %v", d, q.due)
	}
	for range 20 {
		if d := late(soon); d < 0 || d > maxStandBack {
			t.Errorf("it looks %v too late", d)
		}
	}
	if q.back != maxStandBack {
		t.Errorf("it came too late 20 times and stands back %v", q.back)
	}
	if d := late(store.Promoted{Next: time.Second, Moved: 1}); d != 0 {
		t.Errorf("it was there first and looks %v too late", d)
	}
	// What was to be due is gone: somebody else was there. Then nothing is due; what
	// looks meanwhile, at the next poll, does not come too late for anything.
	for range 20 {
		q.next = time.Time{}
		if q.looked(now, store.Promoted{Next: -1}); q.due || !q.next.IsZero() || q.back != time.Millisecond {
			t.Errorf("%+v", q)
		}
	}
}
