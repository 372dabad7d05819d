package leanmq_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leanmq/leanmq/internal/redistest"
	"github.com/leanmq/leanmq/leanmq"
)

func publish(t testing.TB, topic *leanmq.Topic, text string, opts ...leanmq.SendOption) string {
	t.Helper()
	id, err := topic.Publish(t.Context(), []byte(text), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// publishMany publishes n messages, whose payloads are their numbers.
func publishMany(t testing.TB, topic *leanmq.Topic, n int, opts ...leanmq.SendOption) []string {
	t.Helper()
	var payloads [][]byte
	for i := range n {
		payloads = append(payloads, fmt.Append(nil, i))
	}
	ids, err := topic.PublishMany(t.Context(), payloads, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func subscribe(t testing.TB, g *leanmq.Group, p leanmq.Position, types ...string) {
	t.Helper()
	if made, err := g.Create(t.Context(), p, types...); err != nil || !made {
		t.Fatal(made, err)
	}
}

func TestEachGroupGetsEveryMessage(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("orders:events")
		before := publish(t, topic, "before", leanmq.Type("order.created"))
		var billing, mail, fresh record
		consume(t, topic.Group("billing").Queue(), billing.done)
		consume(t, topic.Group("mail").Queue(), mail.done)
		consume(t, topic.Group("fresh").Queue(), fresh.done, leanmq.StartAt(leanmq.FromNow()))
		billing.wait(t, 1)
		eventually(t, "the third group is there", func() bool { return info(t, topic.Group("fresh").Queue()).Consumers == 1 })
		ids := publishMany(t, topic, 20)
		for _, r := range []*record{&billing, &mail} {
			all := r.wait(t, 21)
			if all[0].ID != before || all[0].Payload != "before" || all[0].Attempt != 1 {
				t.Errorf("the first one is %+v", all[0])
			}
		}
		var got []string
		for _, s := range fresh.wait(t, 20) {
			if got = append(got, s.ID); s.Queue != "orders:events:fresh" {
				t.Errorf("queue %q", s.Queue)
			}
		}
		if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(ids))) {
			t.Errorf("got %v, want %v", got, ids)
		}
		for _, g := range []string{"billing", "mail", "fresh"} {
			becomesEmpty(t, topic.Group(g).Queue())
		}
	})
}

func TestConsumersOfAGroupCompete(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		var r record
		for range 3 {
			consume(t, open(t, url).Topic("events").Group("g").Queue(), r.done)
		}
		topic := open(t, url).Topic("events")
		publishMany(t, topic, 200)
		r.wait(t, 200)
		becomesEmpty(t, topic.Group("g").Queue())
		if got := r.payloads(); len(got) != 200 || len(slices.Compact(slices.Sorted(slices.Values(got)))) != 200 {
			t.Errorf("%d messages were handled", len(got))
		}
	})
}

func TestFailureInOneGroupTouchesNoOther(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		var good, bad record
		consume(t, topic.Group("good").Queue(), good.done)
		failing := topic.Group("bad")
		consume(t, failing.Queue(), func(_ context.Context, m *leanmq.Message) error {
			bad.add(m)
			if string(m.Payload) == "poison" && m.Attempt < 3 {
				return errors.New("boom")
			}
			if string(m.Payload) == "deadly" {
				return leanmq.Reject(errors.New("never"))
			}
			return nil
		}, quick)
		id := publish(t, topic, "poison", leanmq.WithHeader("from", "test"), leanmq.Type("a.b"))
		deadly := publish(t, topic, "deadly")
		d := oneDead(t, failing.Queue())
		if d.Message.ID != deadly || d.Error != "never" {
			t.Errorf("%+v", d)
		}
		attempts := 0
		for _, s := range bad.wait(t, 4) {
			if s.ID == id {
				if attempts++; s.Attempt != attempts || s.Header["from"] != "test" {
					t.Errorf("attempt %d: %+v", attempts, s)
				}
			}
		}
		good.wait(t, 2)
		if n, err := failing.Queue().RequeueAll(t.Context()); n != 1 || err != nil {
			t.Error(n, err)
		}
		bad.wait(t, 5)
		oneDead(t, failing.Queue())
		if good.count() != 2 || info(t, topic.Group("good").Queue()).Dead != 0 {
			t.Errorf("the other group got %v", good.payloads())
		}
	})
}

func TestGroupGetsWhatItsFilterMatches(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		types := []string{"", "order", "order.created", "order.item.added", "user.created", "order.created.eu"}
		for _, kind := range types {
			var opts []leanmq.SendOption
			if kind != "" {
				opts = append(opts, leanmq.Type(kind))
			}
			publish(t, topic, kind, opts...)
		}
		publish(t, topic, "end", leanmq.Type("end"))
		for i, tt := range []struct {
			patterns []string
			want     string
		}{
			{[]string{"order.*"}, "order.created"},
			{[]string{"order.#"}, "order order.created order.item.added order.created.eu"},
			{[]string{"*.created"}, "order.created user.created"},
			{[]string{"#.created.#"}, "order.created user.created order.created.eu"},
			{[]string{"order", "user.*"}, "order user.created"},
			{[]string{"*.*.*"}, "order.item.added order.created.eu"},
			{[]string{"#.eu"}, "order.created.eu"},
			{[]string{"#"}, " order order.created order.item.added user.created order.created.eu"},
		} {
			var r record
			g := topic.Group(fmt.Sprint("g", i)).Queue()
			consume(t, g, r.done, leanmq.Types(append(tt.patterns, "end")...), leanmq.Concurrency(1))
			want := append(strings.Split(tt.want, " "), "end")
			r.wait(t, len(want))
			if got := r.payloads(); !slices.Equal(got, want) {
				t.Errorf("%q gets %q, want %q", tt.patterns, got, want)
			}
			becomesEmpty(t, g)
		}
	})
}

func TestGroupKeepsTheOrderOfAKey(t *testing.T) {
	redistest.ForEachStore(t, func(t *testing.T, url string) {
		topic := open(t, url).Topic("events")
		var got []string
		var r record
		for range 2 {
			consume(t, open(t, url).Topic("events").Group("g").Queue(), func(_ context.Context, m *leanmq.Message) error {
				if m.Attempt == 1 && string(m.Payload)[1]%3 == 0 {
					return errors.New("boom")
				}
				r.add(m)
				return nil
			}, quick)
		}
		for i := range 10 {
			for _, key := range []string{"a", "b", "c"} {
				publish(t, topic, fmt.Sprint(key, i), leanmq.OrderingKey(key), leanmq.TTL(time.Hour))
			}
			publish(t, topic, fmt.Sprint("-", i))
		}
		for _, s := range r.wait(t, 40) {
			if s.Payload[0] == 'b' {
				got = append(got, s.Payload)
			}
		}
		if want := "b0 b1 b2 b3 b4 b5 b6 b7 b8 b9"; strings.Join(got, " ") != want {
			t.Errorf("got %v", got)
		}
		becomesEmpty(t, topic.Group("g").Queue())
	})
}
