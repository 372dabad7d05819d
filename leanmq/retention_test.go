package leanmq_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/internal/testkit"
	"github.com/leanmq/leanmq/leanmq"
)

func topicInfo(t testing.TB, topic *leanmq.Topic) leanmq.TopicInfo {
	t.Helper()
	i, err := topic.Info(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func retain(t testing.TB, topic *leanmq.Topic, r leanmq.Retention) {
	t.Helper()
	if err := topic.SetRetention(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func trim(t testing.TB, topic *leanmq.Topic, want int64) {
	t.Helper()
	if n, err := topic.Trim(t.Context()); n != want || err != nil {
		t.Fatalf("trimmed %d, %v; want %d", n, err, want)
	}
}

// drainGroup handles up to n messages of a group, without a consumer that goes on.
func drainGroup(t testing.TB, g *leanmq.Group, n int) {
	t.Helper()
	p := newPuller(t, g.Queue())
	for n > 0 {
		ms, err := p.Receive(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ms {
			if err := m.Done(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		n -= len(ms)
	}
}

func TestRetentionKeepsWhatAGroupHasNotRead(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		fast, slow := topic.Group("fast"), topic.Group("slow")
		subscribe(t, fast, leanmq.FromBeginning())
		subscribe(t, slow, leanmq.FromBeginning())
		ids := publishMany(t, topic, 2500)
		trim(t, topic, 0) // there is no retention
		retain(t, topic, leanmq.Retention{Length: 100})
		drainGroup(t, fast, 2500)
		trim(t, topic, 0)
		if i := topicInfo(t, topic); !slices.Equal(i.Blocking, []string{"slow"}) || i.Length != 2500 {
			t.Errorf("%+v", i)
		}
		drainGroup(t, slow, 1234)
		trim(t, topic, 1234)
		i := topicInfo(t, topic)
		if i.First != ids[1234] || i.Last != ids[2499] || i.Groups[0].Lag != 0 || i.Groups[1].Lag != 1266 {
			t.Errorf("%+v", i)
		}
		drainGroup(t, slow, 1266)
		trim(t, topic, 1166)
		if i := topicInfo(t, topic); i.Length != 100 || len(i.Blocking) > 0 {
			t.Errorf("%+v", i)
		}
	})
}

func TestRetentionKeepsWhatIsInFlight(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		retain(t, topic, leanmq.Retention{UntilDone: true})
		publishMany(t, topic, 10)
		trim(t, topic, 0) // nobody is done with it
		p := newPuller(t, topic.Group("g").Queue(), leanmq.Lease(time.Hour))
		ms := pull(t, p, 10)
		for i, m := range ms {
			if i == 3 {
				continue
			}
			if err := m.Done(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		trim(t, topic, 3)
		if i := topicInfo(t, topic); i.First != ms[3].ID || i.Groups[0].InFlight != 1 {
			t.Errorf("%+v", i)
		}
		// A retry is the group's own: the topic need not keep it.
		if err := ms[3].Retry(t.Context(), errors.New("boom")); err != nil {
			t.Fatal(err)
		}
		trim(t, topic, 7)
		if i := topicInfo(t, topic); i.Length != 0 || i.Groups[0].Scheduled != 1 {
			t.Errorf("%+v", i)
		}
	})
}

func TestRetentionThatDropsCountsAndLogs(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var l testkit.Log
		topic := open(t, url, leanmq.Logger(zerolog.New(&l))).Topic("events")
		fast, slow := topic.Group("fast"), topic.Group("slow")
		subscribe(t, fast, leanmq.FromBeginning())
		subscribe(t, slow, leanmq.FromBeginning())
		publishMany(t, topic, 350)
		drainGroup(t, fast, 350)
		p := newPuller(t, slow.Queue(), leanmq.Lease(time.Hour))
		ms := pull(t, p, 10)
		retain(t, topic, leanmq.Retention{Length: 20, DropUnread: true})
		trim(t, topic, 330)
		i := topicInfo(t, topic)
		if i.Length != 20 || i.Groups[0].Dropped != 0 || i.Groups[1].Dropped != 330 || i.Groups[1].Lag != 20 || i.Groups[1].InFlight != 0 {
			t.Errorf("%+v", i)
		}
		if !strings.Contains(l.String(), `"group":"slow"`) || strings.Contains(l.String(), `"group":"fast"`) {
			t.Errorf("logged: %s", l.String())
		}
		if err := ms[0].Retry(t.Context(), errors.New("boom")); !errors.Is(err, leanmq.ErrLeaseLost) {
			t.Errorf("what was dropped could be retried: %v", err)
		}
		drainGroup(t, slow, 5)
		if g, err := slow.Info(t.Context()); g.Lag != 15 || err != nil {
			t.Errorf("%+v, %v", g, err)
		}
		drainGroup(t, slow, 15)
	})
}

func TestRetentionByAge(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		raw := redistest.Client(t, url)
		old := time.Now().Add(-time.Hour).UnixMilli()
		for i := range 300 {
			if err := raw.Do(t.Context(), "XADD", "leanmq:{events}:events:topic", old+int64(i), "p", "old").Err(); err != nil {
				t.Fatal(err)
			}
		}
		publishMany(t, topic, 7)
		retain(t, topic, leanmq.Retention{Age: time.Minute})
		trim(t, topic, 300) // nobody reads it
		if i := topicInfo(t, topic); i.Length != 7 {
			t.Errorf("%+v", i)
		}
		retain(t, topic, leanmq.Retention{})
		if r, err := topic.Retention(t.Context()); r != (leanmq.Retention{}) || err != nil {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// Who has read everything has not missed anything when it is taken away.
func TestNothingIsMissedBehindWhatWasTrimmed(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		raw := redistest.Client(t, url)
		old := time.Now().Add(-time.Hour).UnixMilli()
		var last string
		for i := range 300 {
			var err error
			if last, err = raw.Do(t.Context(), "XADD", "leanmq:{events}:events:topic", old+int64(i), "p", "old").Text(); err != nil {
				t.Fatal(err)
			}
		}
		g := topic.Group("g")
		behind := leanmq.AfterID(last)
		nothingMissed := func() {
			t.Helper()
			if _, err := topic.Read(t.Context(), behind, 10); err != nil {
				t.Error(err)
			}
			seek(t, g, behind)
		}
		retain(t, topic, leanmq.Retention{Age: time.Minute})
		trim(t, topic, 300) // nobody keeps it
		subscribe(t, g, behind)
		nothingMissed()
		publish(t, topic, "new")
		nothingMissed()
		if i := info(t, g.Queue()); i.Ready != 1 {
			t.Errorf("%+v", i)
		}
		if _, err := topic.Read(t.Context(), leanmq.FromID(last), 10); !errors.Is(err, leanmq.ErrNotRetained) {
			t.Error(err)
		}
	})
}

func TestConsumersSeeToTheRetention(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		retain(t, topic, leanmq.Retention{UntilDone: true})
		publishMany(t, topic, 50)
		var r record
		consume(t, topic.Group("g").Queue(), r.done, leanmq.Lease(300*time.Millisecond))
		r.wait(t, 50)
		eventually(t, "what is done is gone", func() bool { return topicInfo(t, topic).Length == 0 })
	})
}

func TestRetentionsThatAreRefused(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		isInvalid(t, topic.SetRetention(t.Context(), leanmq.Retention{Age: time.Millisecond}), "Age")
		isInvalid(t, topic.SetRetention(t.Context(), leanmq.Retention{Length: -1}), "Length")
		isInvalid(t, topic.SetRetention(t.Context(), leanmq.Retention{UntilDone: true, DropUnread: true}), "DropUnread")
	})
}
