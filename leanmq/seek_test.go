package leanmq_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func seek(t testing.TB, g *leanmq.Group, p leanmq.Position) {
	t.Helper()
	if err := g.Seek(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

func TestGroupIsRewoundWhileItIsConsumed(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		ids := publishMany(t, topic, 30)
		var r, other record
		g := topic.Group("g")
		consume(t, g.Queue(), r.done, leanmq.Concurrency(1))
		consume(t, topic.Group("other").Queue(), other.done)
		r.wait(t, 30)
		becomesEmpty(t, g.Queue())
		other.wait(t, 30)
		seek(t, g, leanmq.FromID(ids[10]))
		if got := r.wait(t, 50)[30:]; got[0].ID != ids[10] || got[19].ID != ids[29] || got[0].Deliveries != 1 {
			t.Errorf("replayed %v", got)
		}
		becomesEmpty(t, g.Queue())
		seek(t, g, leanmq.FromBeginning())
		r.wait(t, 80)
		becomesEmpty(t, g.Queue())
		seek(t, g, leanmq.AfterID(ids[27]))
		r.wait(t, 82)
		becomesEmpty(t, g.Queue())
		if r.count() != 82 || other.count() != 30 {
			t.Errorf("%d and %d messages were handled", r.count(), other.count())
		}
	})
}

func TestWhoHasAMessageCannotSettleItAfterARewind(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		ids := publishMany(t, topic, 4)
		g := topic.Group("g")
		p := newPuller(t, g.Queue(), leanmq.Lease(time.Hour))
		ms := pull(t, p, 4)
		if err := ms[0].Done(t.Context()); err != nil {
			t.Fatal(err)
		}
		seek(t, g, leanmq.FromID(ids[2]))
		for i, want := range []error{1: nil, 2: leanmq.ErrLeaseLost, 3: leanmq.ErrLeaseLost} {
			if i == 0 {
				continue
			}
			if err := ms[i].Done(t.Context()); !errors.Is(err, want) {
				t.Errorf("message %d: %v, want %v", i, err, want)
			}
		}
		again := newPuller(t, g.Queue())
		if ms := pull(t, again, 2); ms[0].ID != ids[2] || ms[1].ID != ids[3] {
			t.Errorf("%v", ms)
		}
	})
}

// The worker that has a message loses it to a rewind even if the message comes again to
// its own process: else it would settle what the rewind brought.
func TestRewindEndsTheHandlersOfItsOwnProcess(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		id := publish(t, topic, "x")
		g := topic.Group("g")
		running, cause := make(chan string, 2), make(chan error, 1)
		var runs atomic.Int32
		consume(t, g.Queue(), func(ctx context.Context, m *leanmq.Message) error {
			first := runs.Add(1) == 1
			running <- m.ID
			if !first {
				return nil
			}
			<-ctx.Done()
			cause <- context.Cause(ctx)
			return nil
		}, leanmq.Concurrency(2), leanmq.Lease(time.Hour))
		receive(t, "the first delivery", running)
		seek(t, g, leanmq.FromID(id))
		if got := receive(t, "the second delivery", running); got != id {
			t.Errorf("got %s", got)
		}
		if err := receive(t, "the end of the first handler", cause); !errors.Is(err, leanmq.ErrLeaseLost) {
			t.Errorf("it ended by %v", err)
		}
		becomesEmpty(t, g.Queue())
	})
}

func TestRewindLeavesWhatIsTheGroupsOwn(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		publishMany(t, topic, 2)
		g := topic.Group("g")
		p := newPuller(t, g.Queue(), leanmq.Retry(leanmq.RetryPolicy{MinBackoff: time.Hour, MaxBackoff: time.Hour}))
		ms := pull(t, p, 2)
		if err := errors.Join(ms[0].Retry(t.Context(), errors.New("boom")), ms[1].Reject(t.Context(), errors.New("no"))); err != nil {
			t.Fatal(err)
		}
		seek(t, g, leanmq.FromBeginning())
		if i := info(t, g.Queue()); i.Ready != 2 || i.Scheduled != 1 || i.Dead != 1 {
			t.Errorf("%+v", i)
		}
		seek(t, g, leanmq.FromNow())
		if i := info(t, g.Queue()); i.Ready != 0 || i.Scheduled != 1 {
			t.Errorf("%+v", i)
		}
	})
}

func TestPositionsThatAreNotThere(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		g := topic.Group("g")
		subscribe(t, g, leanmq.FromBeginning())
		ids := publishMany(t, topic, 10)
		drainGroup(t, g, 10)
		retain(t, topic, leanmq.Retention{Length: 4})
		trim(t, topic, 6)

		gone := func(what string, err error) {
			t.Helper()
			var at *leanmq.PositionError
			if !errors.Is(err, leanmq.ErrNotRetained) || !errors.As(err, &at) {
				t.Errorf("%s: %v", what, err)
				return
			}
			if at.First != ids[6] || at.Last != ids[9] || at.FirstAt.IsZero() || !strings.Contains(err.Error(), ids[6]) {
				t.Errorf("%s: %+v", what, at)
			}
		}
		gone("seek", g.Seek(t.Context(), leanmq.FromID(ids[5])))
		gone("seek", g.Seek(t.Context(), leanmq.FromTime(time.Unix(1, 0))))
		gone("consume", topic.Group("new").Consume(t.Context(), new(record).done, leanmq.StartAt(leanmq.FromID(ids[0]))))
		_, err := topic.Group("new").Create(t.Context(), leanmq.AfterID(ids[4]))
		gone("create", err)
		_, err = topic.Read(t.Context(), leanmq.AfterID(ids[2]), 10)
		gone("read", err)
		for _, p := range []leanmq.Position{leanmq.FromID(ids[6]), leanmq.AfterID(ids[5]), leanmq.FromBeginning()} {
			seek(t, g, p)
			if i := info(t, g.Queue()); i.Ready != 4 {
				t.Errorf("%v: %+v", p, i)
			}
		}

		err = g.Seek(t.Context(), leanmq.FromTime(time.Now().Add(time.Hour)))
		if !errors.Is(err, leanmq.ErrInvalid) || !strings.Contains(err.Error(), "ahead") {
			t.Errorf("%v", err)
		}
		isInvalid(t, g.Seek(t.Context(), leanmq.FromID("x")), "Position")
		isInvalid(t, g.Consume(t.Context(), new(record).done, leanmq.StartAt(leanmq.AfterID("7"))), "Position")

		var unknown *leanmq.UnknownGroupError
		err = topic.Group("typo").Seek(t.Context(), leanmq.FromNow())
		if !errors.Is(err, leanmq.ErrNotFound) || !errors.As(err, &unknown) || !slices.Equal(unknown.Groups, []string{"g"}) {
			t.Errorf("%v", err)
		}
		if _, err := topic.Group("typo").Info(t.Context()); !errors.As(err, &unknown) {
			t.Errorf("%v", err)
		}
		if err := topic.Group("typo").Delete(t.Context()); !errors.As(err, &unknown) {
			t.Errorf("%v", err)
		}
	})
}

func TestGroupBeginsAtATime(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		topic := mq.Topic("events")
		raw := redistest.Client(t, url)
		for _, id := range []string{"1000-0", "2000-0", "2000-1", "3000-5"} {
			if err := raw.Do(t.Context(), "XADD", "leanmq:{events}:events:topic", id, "p", id).Err(); err != nil {
				t.Fatal(err)
			}
		}
		for at, want := range map[time.Duration]int{
			0: 4, time.Second: 4, 1001 * time.Millisecond: 3, 2 * time.Second: 3,
			2*time.Second + time.Microsecond: 1, 4 * time.Second: 0,
		} {
			p := leanmq.FromTime(time.UnixMilli(0).Add(at))
			ms, err := topic.Read(t.Context(), p, 10)
			if len(ms) != want || err != nil {
				t.Errorf("from %v: %d messages, %v; want %d", at, len(ms), err, want)
			}
			g := topic.Group(at.String())
			subscribe(t, g, p)
			if i := info(t, g.Queue()); int(i.Ready) != want {
				t.Errorf("from %v: %+v; want %d", at, i, want)
			}
		}
	})
}

func TestTopicIsReadPageByPage(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url, leanmq.Compress(1)).Topic("events")
		ids := publishMany(t, topic, 25, leanmq.Type("a.b"), leanmq.WithHeader("x-of", "test"))
		var got []string
		var p leanmq.Position
		for {
			ms, err := topic.Read(t.Context(), p, 10)
			if err != nil {
				t.Fatal(err)
			}
			if len(ms) == 0 {
				break
			}
			for _, m := range ms {
				if got = append(got, m.Message.ID); m.Message.Type != "a.b" || m.Message.Header["x-of"] != "test" {
					t.Errorf("%+v", m)
				}
			}
			text, err := json.Marshal(ms[len(ms)-1].After) // remembered
			if err == nil {
				err = json.Unmarshal(text, &p)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(got, ids) {
			t.Errorf("read %v", got)
		}
		if ms, err := topic.Read(t.Context(), leanmq.FromNow(), 10); len(ms) > 0 || err != nil {
			t.Error(ms, err)
		}
	})
}

func TestTopicsAndGroupsAreDeleted(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		mq := open(t, url)
		topic := mq.Topic("s:events")
		publishMany(t, topic, 3, leanmq.OrderingKey("k"))
		if err := topic.Delete(t.Context()); !errors.Is(err, leanmq.ErrNotEmpty) {
			t.Error(err)
		}
		a, b := topic.Group("a"), topic.Group("b")
		subscribe(t, b, leanmq.FromBeginning(), "x.*")
		p := newPuller(t, a.Queue())
		pull(t, p, 1)
		if err := a.Delete(t.Context()); !errors.Is(err, leanmq.ErrNotEmpty) {
			t.Error(err)
		}
		_ = p.Close()
		if err := topic.Delete(t.Context()); !errors.Is(err, leanmq.ErrNotEmpty) || !strings.Contains(err.Error(), "a, b") {
			t.Error(err)
		}
		if err := b.Delete(t.Context()); err != nil {
			t.Error(err)
		}
		if err := topic.ForceDelete(t.Context()); err != nil {
			t.Error(err)
		}
		if keys, err := redistest.Client(t, url).Keys(context.Background(), "*").Result(); len(keys) > 0 || err != nil {
			t.Error(keys, err)
		}
	})
}
