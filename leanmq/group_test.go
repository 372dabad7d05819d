package leanmq_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func TestOptionsThatTopicsRefuse(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		for field, opt := range map[string]leanmq.SendOption{
			"Delay":     leanmq.Delay(time.Second),
			"Priority":  leanmq.Priority(leanmq.High),
			"Unique":    leanmq.Unique("x"),
			"UniqueFor": leanmq.UniqueFor("x", time.Hour),
			"Type":      leanmq.Type("order.*"),
		} {
			_, err := topic.Publish(t.Context(), nil, opt)
			isInvalid(t, err, field)
			_, err = topic.PublishMany(t.Context(), [][]byte{nil}, opt)
			isInvalid(t, err, field)
			if err == nil || !strings.Contains(err.Error(), `publish "events"`) {
				t.Errorf("%v", err)
			}
		}
		for _, bad := range []string{"", ".", "a.", ".a", "a..b", "a b", "a.#", "a\nb", strings.Repeat("x", 257)} {
			_, err := topic.Publish(t.Context(), nil, leanmq.Type(bad))
			isInvalid(t, err, "Type")
		}
		g := topic.Group("g")
		for _, bad := range []string{"", "order.*x", "#order", "a..#", "a. "} {
			isInvalid(t, g.Consume(t.Context(), new(record).done, leanmq.Types(bad)), "Types")
		}
		q := open(t, url).Queue("plain")
		isInvalid(t, q.Consume(t.Context(), new(record).done, leanmq.Types("a")), "Types")
		isInvalid(t, q.Consume(t.Context(), new(record).done, leanmq.StartAt(leanmq.FromNow())), "StartAt")
		_, err := open(t, url).Topic("a:b:c").Publish(t.Context(), nil)
		isInvalid(t, err, "topic name")
		isInvalid(t, topic.Group("leanmq").Consume(t.Context(), new(record).done), "group name")
		isInvalid(t, topic.Group("a:b").Seek(t.Context(), leanmq.FromNow()), "group name")
	})
}

func TestPublishedOnceUnderAnID(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		if id := publish(t, topic, "x", leanmq.ID("42"), leanmq.OrderingKey("k")); id != "42" {
			t.Errorf("id %q", id)
		}
		id, err := topic.Publish(t.Context(), nil, leanmq.ID("42"), leanmq.OrderingKey("k"))
		if id != "42" || !errors.Is(err, leanmq.ErrDuplicate) {
			t.Error(id, err)
		}
		var r record
		consume(t, topic.Group("g").Queue(), r.done)
		if got := r.wait(t, 1); got[0].ID != "42" {
			t.Errorf("%+v", got)
		}
		becomesEmpty(t, topic.Group("g").Queue())
	})
}

// What queues can do groups can do as well, and each on its own.
func TestGroupIsAQueue(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var handled []string
		mq := open(t, url, leanmq.Compress(1), leanmq.Observe(leanmq.Hooks{
			Sent: func(i leanmq.SendInfo) { handled = append(handled, "sent to "+i.Queue) },
		}))
		topic := mq.Topic("s:events")
		a, b := mq.Queue("s:events:a"), topic.Group("b").Queue()
		if err := a.Pause(t.Context()); err != nil {
			t.Fatal(err)
		}
		var ra record
		noted, proceed := make(chan struct{}), make(chan struct{})
		consume(t, a, ra.done)
		eventually(t, "the paused group is there", func() bool { return info(t, a).Consumers == 1 })
		consume(t, b, func(ctx context.Context, m *leanmq.Message) error {
			if err := m.Progress(ctx, "half"); err != nil {
				t.Error(err)
			}
			close(noted)
			<-proceed
			m.SetResult([]byte("fine"))
			return nil
		}, leanmq.LimitTo(leanmq.Limits{Running: 1}))
		id := publish(t, topic, "x", leanmq.KeepResult(time.Hour))
		receive(t, "the note", noted)
		flying, err := b.InFlight(t.Context(), 10)
		if err != nil || len(flying) != 1 || flying[0].Progress != "half" || flying[0].Message.ID != id {
			t.Errorf("%+v, %v", flying, err)
		}
		close(proceed)
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		if r, err := b.Result(ctx, id); err != nil || string(r.Payload) != "fine" {
			t.Errorf("%+v, %v", r, err)
		}
		if i := info(t, a); i.Ready != 1 || !i.Paused || ra.count() > 0 {
			t.Errorf("%+v", i)
		}
		waiting := 0
		for m, err := range a.Waiting(t.Context()) {
			if waiting++; err != nil || m.ID != id || string(m.Payload) != "x" {
				t.Errorf("%+v, %v", m, err)
			}
		}
		if waiting != 1 {
			t.Errorf("%d wait", waiting)
		}
		// It is canceled for one group only.
		if _, err := a.Cancel(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if err := a.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		becomesEmpty(t, a)
		if i := info(t, a); i.Canceled != 1 || ra.count() > 0 {
			t.Errorf("%+v", i)
		}
		if !slices.Equal(handled, []string{"sent to s:events"}) {
			t.Errorf("%v", handled)
		}
	})
}

func TestGroupGetsBatches(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		publishMany(t, topic, 30)
		sizes := make(chan int, 100)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- topic.Group("g").Queue().ConsumeBatches(ctx, 10, time.Second, func(_ context.Context, ms []*leanmq.Message) []error {
				sizes <- len(ms)
				return nil
			}, leanmq.Concurrency(1))
		}()
		for n := 0; n < 30; {
			n += receive(t, "a batch", sizes)
		}
		becomesEmpty(t, topic.Group("g").Queue())
		cancel()
		if err := receive(t, "the end", done); err != nil {
			t.Error(err)
		}
	})
}

func TestMessageOfATopicExpiresForAGroup(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		publish(t, topic, "late", leanmq.TTL(time.Millisecond))
		publish(t, topic, "x")
		expire(time.Millisecond)
		var r record
		g := topic.Group("g").Queue()
		consume(t, g, r.done)
		r.wait(t, 1)
		becomesEmpty(t, g)
		if i := info(t, g); i.Expired != 1 || r.count() != 1 {
			t.Errorf("%+v, %v", i, r.payloads())
		}
		if i := topicInfo(t, topic); i.Length != 2 {
			t.Errorf("%+v", i)
		}
	})
}

func TestGroupsAreMadeAgainAfterAFlush(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		var r record
		g := topic.Group("g").Queue()
		consume(t, g, r.done, leanmq.StartAt(leanmq.FromNow()), leanmq.Types("a.*"))
		eventually(t, "the group is there", func() bool { return info(t, g).Consumers == 1 })
		publish(t, topic, "1", leanmq.Type("a.b"))
		r.wait(t, 1)
		raw := redistest.Client(t, url)
		if err := raw.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		publish(t, topic, "2", leanmq.Type("b"))
		publish(t, topic, "3", leanmq.Type("a.b"))
		if got := r.wait(t, 2); got[1].Payload != "3" {
			t.Errorf("%v", got)
		}
		becomesEmpty(t, g)
		if i := topicInfo(t, topic); i.Groups[0].Filtered != 1 || !slices.Equal(i.Groups[0].Types, []string{"a.*"}) {
			t.Errorf("%+v", i)
		}
	})
}

func TestPullerOfAGroupGetsWhatWasPublishedAfterAFlush(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		g := topic.Group("g")
		p := newPuller(t, g.Queue(), leanmq.StartAt(leanmq.FromNow()), leanmq.Types("a.*"))
		if _, err := p.Receive(ended, 1); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if err := redistest.Client(t, url).FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		publish(t, topic, "1", leanmq.Type("a.b"))
		publish(t, topic, "2", leanmq.Type("b"))
		publish(t, topic, "3", leanmq.Type("a.c"))
		_, _ = p.Receive(ended, 1) // tells of the loss
		ms := pull(t, p, 2)
		if string(ms[0].Payload) != "1" || string(ms[1].Payload) != "3" {
			t.Errorf("%s, %s", ms[0].Payload, ms[1].Payload)
		}
		if i, err := g.Info(t.Context()); err != nil || !slices.Equal(i.Types, []string{"a.*"}) {
			t.Errorf("%+v, %v", i, err)
		}
	})
}

// Neither what is the group's own (retries, mostly) nor what is new keeps the other out.
func TestRetriesAndNewMessagesTakeTurns(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		own := topic.Group("g").Queue()
		const n = 100
		for range n {
			send(t, own, "own")
			publish(t, topic, "new")
		}
		var r record
		consume(t, own, slowly(&r), leanmq.Concurrency(1)) // fast ones are fetched and handled by the dozen
		fresh := 0
		for _, s := range r.wait(t, 2*n)[:n] {
			if s.Payload == "new" {
				fresh++
			}
		}
		if fresh < n/3 || fresh > 2*n/3 {
			t.Errorf("%d of the first %d messages are new", fresh, n)
		}
		becomesEmpty(t, own)
	})
}

func TestPublishIsOneWriteHoweverManyGroupsThereAre(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t)
	topic, raw := open(t, server.URL()).Topic("events"), rawClient(t, server.URL())
	for _, g := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
		subscribe(t, topic.Group(g), leanmq.FromBeginning())
	}
	publish(t, topic, "the first one also lists the topic")
	if err := raw.ConfigResetStat(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		publish(t, topic, "x", leanmq.Type("a.b"))
	}
	stats, err := raw.InfoMap(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	for command, stat := range stats["Commandstats"] {
		switch command {
		case "cmdstat_hello", "cmdstat_echo": // of a connection that is made meanwhile
			continue
		}
		if command != "cmdstat_xadd" && command != "cmdstat_config|resetstat" && command != "cmdstat_time" || command == "cmdstat_xadd" && !strings.HasPrefix(stat, "calls=100,") {
			t.Errorf("%s: %s", command, stat)
		}
	}
}
